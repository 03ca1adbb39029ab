"""The paper's network: one file per box of its Figure 2, and `network.py` that wires them."""
