// Memory of graphs: taken when a graph with allocation nodes is launched, kept for later launches until it is
// trimmed.
#pragma once

#include "tests/simdriver/cuda/graph.h"

namespace hami::sim {

// Takes what a launch will need, without allocating yet.
CUresult upload_memory(const Graph& graph);

// May the graph be launched? Not while an allocation of an earlier launch lives, unless `auto_free` ends it
// now.
CUresult begin_memory(const Graph& graph, bool auto_free);

// Does what an allocation or free node does; nothing for other nodes.
CUresult run_memory_node(const Node& node);

}  // namespace hami::sim
