"""What a vendor's driver leaves on a host, from the vendor's description (NAME.json) and the list of cards.

Text in the description may hold {name} of a card's field or a fact of the node. Sections:
  drivers      character drivers in /proc/devices: name -> major
  nodes        device nodes of the node: path, driver, minor
  cardNodes    the same for each card
  files        path -> lines; cardFiles the same for each card
  links        path -> target; cardLinks the same for each card
  libraries    names of libraries that exist only to be found: lib<name>.so.<driver version>, SONAME lib<name>.so.<n>
  programs     names of programs that exist only to be found
  simulated    what comes from the build: path -> file below <build>/simdriver
  firmware, sockets, directories
"""

from builder import elf


class Vendor:
    def __init__(self, description, tree, facts, cards):
        self.description = description
        self.tree = tree
        self.facts = facts
        self.cards = cards
        self.majors = dict(description["drivers"])

    def build(self, simulated):
        self._files()
        self._links()
        self._nodes()
        self._libraries()
        self._simulated(simulated)
        self._extras()

    def _each(self, section, card_section):
        """Pairs of (entry, facts), for the node and for each card."""
        for entry in self._entries(section):
            yield entry, self.facts
        for card in self.cards:
            for entry in self._entries(card_section):
                yield entry, {**self.facts, **card}

    def _entries(self, section):
        entries = self.description.get(section, [])
        return list(entries.items()) if isinstance(entries, dict) else entries

    def _files(self):
        for (path, lines), facts in self._each("files", "cardFiles"):
            self.tree.text(path.format(**facts), "".join(line.format(**facts) + "\n" for line in lines))

    def _links(self):
        for (path, target), facts in self._each("links", "cardLinks"):
            self.tree.link(path.format(**facts), target.format(**facts))

    def _nodes(self):
        for node, facts in self._each("nodes", "cardNodes"):
            minor = int(str(node["minor"]).format(**facts))
            self.tree.node(node["path"].format(**facts), self.majors[node["driver"]], minor)

    def _library_path(self, name):
        return self.facts["libdir"] + "/" + name

    def _libraries(self):
        version = self.facts["driver_version"]
        for entry in self.description.get("libraries", []):
            name, _, number = entry.partition(" ")
            soname = f"lib{name.split('/')[-1]}.so.{number or 1}"
            self.tree.data(self._library_path(f"{self._with_lib(name)}.so.{version}"), elf.shared_object(soname), 0o755)

    @staticmethod
    def _with_lib(name):
        directory, slash, base = name.rpartition("/")
        return f"{directory}{slash}lib{base}"

    def _simulated(self, directory):
        for path, source in self.description.get("simulated", {}).items():
            self.tree.copy(f"{directory}/{source}", path.format(**self.facts))

    def _extras(self):
        for path in self.description.get("firmware", []):
            self.tree.data(path.format(**self.facts), b"firmware\n")
        for name in self.description.get("programs", []):
            self.tree.text(f"usr/bin/{name}", "#!/bin/sh\nexit 0\n", 0o755)
        for path in self.description.get("sockets", []):
            self.tree.socket(path)
        for path in self.description.get("directories", []):
            self.tree.directory_at(path)


def proc_devices(majors):
    """The text of /proc/devices with these drivers beside those that every kernel has."""
    lines = {(1, "mem"), (5, "/dev/tty"), (10, "misc")} | {(major, name) for name, major in majors.items()}
    characters = "".join(f"{major:3d} {name}\n" for major, name in sorted(lines))
    return f"Character devices:\n{characters}\nBlock devices:\n  8 sd\n259 blkext\n"
