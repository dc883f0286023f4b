"""VGG19: its weights, its layers there and back, and the kernels for CPUs. In painter processes; imports torch."""
