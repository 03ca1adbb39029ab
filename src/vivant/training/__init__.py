"""Training: three stages, one loop for one process or many, exact resume (paper 4.2)."""
