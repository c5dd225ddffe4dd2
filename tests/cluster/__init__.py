"""What needs several edges, workers or machines, or Redis in trouble: real processes, network namespaces."""
