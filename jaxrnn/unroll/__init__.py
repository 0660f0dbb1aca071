"""Time: scans, masks, resets, deferred gradients, checkpoints. It names no cell."""

from jaxrnn.unroll.tree import unroll_tree as unroll_tree
from jaxrnn.unroll.unroll import unroll as unroll
