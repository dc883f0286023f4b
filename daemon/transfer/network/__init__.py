"""VGG19: the weights, the layers forward and backward, and the kernels for CPUs.

Runs in painter processes and imports torch, except `layers`, `weights` and `download`: the daemon looks up weights.
"""
