"""Three regions of real nodes, each region in a network of its own, every link between them one that can be broken."""
