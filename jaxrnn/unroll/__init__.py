"""Time: scans, masks, resets, deferred gradients, checkpoints. It names no cell."""

from jaxrnn.unroll.unroll import unroll as unroll
