"""The runs behind each table and figure of the paper, and our numbers beside the paper's."""
