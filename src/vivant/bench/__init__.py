"""How fast the network is on this machine, against the paper's naive form and against the floor."""
