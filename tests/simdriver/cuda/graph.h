// Graphs: recorded work.
#pragma once

#include <cstdint>

#include "tests/simdriver/cuda/stream.h"

namespace hami::sim {

struct Node {
  CUgraphNodeType type;
  Graph* graph;
  Work work;                          // kernels
  CUDA_KERNEL_NODE_PARAMS kernel;     // as given
  CUDA_MEM_ALLOC_NODE_PARAMS memory;  // allocation nodes; dptr is theirs for life
  CUdeviceptr freed;                  // free nodes
  Graph* child;                       // child graphs
  bool enabled;
  Node** dependencies;
  std::size_t dependency_count;
  Node* original;  // in a clone: the node it came from
  Node* next;
};

struct Graph {
  std::uint64_t magic;
  Node* first;
  Node** last;
  std::size_t count;
};

Graph* make_graph();
void init_graph(Graph& graph);
void clear_graph(Graph& graph);
bool clone_into(const Graph& from, Graph& to);

// What a handle means; null for none. Nodes are not checked.
Graph* find_graph(CUgraph handle);
bool is_graph(const Graph& graph);
Node* find_node(CUgraphNode handle);

// Gives a kernel node its parameters and its cost.
CUresult set_kernel(Node& node, const CUDA_KERNEL_NODE_PARAMS& params);
CUDA_KERNEL_NODE_PARAMS widen(const CUDA_KERNEL_NODE_PARAMS_v1& params);

// Adds a node that depends on `after` (null: on nothing).
Node* add_node(Graph& graph, CUgraphNodeType type, Node* after);

// While a stream captures: the node that stands for the call, already the stream's last. Null when it does
// not capture.
Node* capture_node(Stream& stream, CUgraphNodeType type);

// An allocation node in a capture; its address is known at once.
CUresult capture_allocation(Stream& stream, std::uint64_t size, CUdeviceptr& address);
CUresult capture_free(Stream& stream, CUdeviceptr address);

// A graph's allocation that outlived its launch is freed.
void free_graph_memory(std::uint32_t device, std::uint64_t size);

}  // namespace hami::sim
