"""Optimizers that optax lacks in the form that is needed here."""

import optax


def adagrad(learning_rate: float) -> optax.GradientTransformation:
    """Adagrad as min-char-rnn has it.

    ::

      memory += d * d
      p -= learning_rate * d / sqrt(memory + 1e-8)

    Args:
      learning_rate: of every element at its first gradient.

    Returns:
      The optimizer; min-char-rnn has `clip(5.0, by="value")` before it.

    References:
      Duchi, Hazan, Singer 2011; Karpathy 2015, min-char-rnn.
    """
    return optax.adagrad(learning_rate, initial_accumulator_value=0.0, eps=1e-8)
