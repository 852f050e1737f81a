"""Search strategies, one a file, registered by entry points in the group nasbench.strategies."""
