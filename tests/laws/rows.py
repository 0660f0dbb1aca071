"""Every cell and combinator once, as a row. A cell costs one file and one row here."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrnn as jr
from laws.user_cell import Counting, Labelled, Traced

Rng = np.random.Generator
Draw = Callable[[Rng, tuple[int, ...]], Any]  # (rng, leading axes) -> a tree of arrays


def vectors(*size: int) -> Draw:
    """Standard normal inputs of that size: images take three numbers."""
    return lambda rng, leading: rng.normal(size=(*leading, *size))


def tokens(vocab_size: int) -> Draw:
    return lambda rng, leading: rng.integers(0, vocab_size, leading)


def labelled(size: int, vocab_size: int) -> Draw:
    vector, token = vectors(size), tokens(vocab_size)
    return lambda rng, leading: {
        "vector": vector(rng, leading),
        "token": token(rng, leading),
    }


def memory(size: int) -> Draw:
    """A memory of four positions, some of them padding, in rows that may have none."""
    return lambda rng, batch: {
        "memory": rng.normal(size=(*batch, 4, size)),
        "mask": rng.random((*batch, 4)) < 0.6,
    }


def copied_memory(size: int, vocab_size: int) -> Draw:
    """A memory, and the symbol that stands at each of its positions."""
    positions = memory(size)
    return lambda rng, batch: (
        positions(rng, batch) | {"source": rng.integers(0, vocab_size, (*batch, 4))}
    )


def source(vocab_size: int) -> Draw:
    """What an encoder reads: six ids a row, some rows fewer, or none at all."""
    return lambda rng, batch: {
        "source": rng.integers(0, vocab_size, (*batch, 6)),
        "lengths": rng.integers(0, 7, batch),
    }


def averages(size: int) -> Draw:
    """What a `BatchNorm` normalises by in evaluation, here other numbers a row."""
    return lambda rng, batch: {
        "averages": {
            "batch_norm": {
                "mean": rng.normal(size=(*batch, size)),
                "variance": rng.uniform(0.5, 2, (*batch, size)),
            }
        }
    }


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One cell, and what the laws must know to run it.

    Attributes:
      name: how the tests call it.
      cell: the cell.
      input_size: what `init` gets.
      inputs: draws inputs; None: vectors of `input_size`.
      context: draws what `prepare` may look at, every leaf starting with the batch
        axes; None: nothing.
      representative: every law runs on it by default, not the cheap ones alone.
      hidden_is_output: the cell claims that `hidden(carry)` is the output.
      names: what its `repr` and its JSON refer to beside the library's names.
      exempt: the laws that the cell cannot obey, without their `test_`, and why not.
    """

    name: str
    cell: jr.Cell
    input_size: Any = 3
    inputs: Draw | None = None
    context: Draw | None = None
    representative: bool = False
    hidden_is_output: bool = False
    names: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    exempt: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    @functools.cached_property
    def params(self) -> Any:
        """The shapes and dtypes of the parameters."""
        init = functools.partial(self.cell.init, input_size=self.input_size)
        return jax.eval_shape(init, jax.random.key(0))

    @functools.cached_property
    def carry(self) -> Any:
        """The shapes and dtypes of the carry of one row."""
        rng = np.random.default_rng(0)
        context = None if self.context is None else self.context(rng, ())
        shape = self.input_size if isinstance(self.input_size, tuple) else None
        prepare = functools.partial(
            self.cell.prepare, input_shape=shape, context=context
        )
        first = lambda params: self.cell.initial_carry(prepare(params), ())
        return jax.eval_shape(first, self.params)


def soft_clip(x):
    return x / (1 + jnp.abs(x))


_LAYERS = (jr.LSTM(5), jr.Dropout(0.4), jr.GRU(6), jr.Dense(9))
_USER = {
    "Traced": Traced,
    "Counting": Counting,
    "Labelled": Labelled,
    "soft_clip": soft_clip,
}

_UNTRAINED = dict.fromkeys(
    ("first_derivatives_are_differences", "second_derivatives_are_differences"),
    "no gradients reach its parameters, though its outputs depend on them",
)

_STEEP = {
    "gradients_are_moderate_where_all_is_zero": "what is all zero is normalised with "
    "the slope 1 / sqrt(epsilon), at every step"
}

_JUMPING = dict.fromkeys(
    ("second_derivatives_are_differences", "half_precision_is_near"),
    "modReLU jumps at 0 where its bias is positive, here within reach",
)

_HARD = dict.fromkeys(
    (
        "first_derivatives_are_differences",
        "second_derivatives_are_differences",
        "half_precision_is_near",
    ),
    "without a key it takes one position or another: values jump, here within reach",
)

# No two sizes are equal, among them steps and batch (in harness.py), so that a swapped
# axis shows.
ROWS = [
    Row("embed", jr.Embed(11, 4), None, tokens(11)),
    Row("one_hot", jr.OneHot(11), None, tokens(11)),
    Row("dense", jr.Dense(5)),
    Row("map", jr.Map("relu")),
    Row("map_of_a_users_function", jr.Map(soft_clip), names=_USER),
    Row("dropout", jr.Dropout(0.4)),
    Row("layer_norm", jr.LayerNorm()),
    Row("elman", jr.Elman(5), hidden_is_output=True),
    Row("elman_relu", jr.Elman(5, activation="relu"), hidden_is_output=True),
    Row("elman_identity", jr.Elman(5, activation="identity"), hidden_is_output=True),
    Row("elman_leaky", jr.Elman(5, leak=0.3), hidden_is_output=True),
    Row("elman_preactivation", jr.PreactivationElman(5)),
    Row("jordan", jr.Jordan(5, 4), hidden_is_output=True),
    Row("lstm", jr.LSTM(5), hidden_is_output=True),
    Row("lstm_peepholes", jr.LSTM(5, peepholes=True), hidden_is_output=True),
    Row("lstm_coupled", jr.LSTM(5, coupled=True), hidden_is_output=True),
    Row("lstm_projection", jr.LSTM(5, projection_size=4), hidden_is_output=True),
    Row(
        "lstm_all",
        jr.LSTM(
            5,
            peepholes=True,
            coupled=True,
            projection_size=4,
            layer_norm=True,
            activation="softplus",
        ),
        hidden_is_output=True,
        exempt=_STEEP,
    ),
    Row("gru", jr.GRU(5), hidden_is_output=True),
    Row("gru_after", jr.GRU(5, reset="after"), hidden_is_output=True),
    Row("gru_replace", jr.GRU(5, update="replace"), hidden_is_output=True),
    *(
        Row(name, cell, hidden_is_output=True)
        for name, cell in {
            "lstm_functions": jr.LSTM(
                5,
                peepholes=True,
                activation="softplus",
                gate_activation="soft_sign",
                output_activation="identity",
            ),
            "gru_functions": jr.GRU(
                5, activation="softplus", gate_activation="soft_sign"
            ),
        }.items()
    ),
    *(
        Row(
            f"{name}_two_biases",
            cell.replace(recurrent_bias=True),
            hidden_is_output=True,
        )
        for name, cell in {
            "elman": jr.Elman(5),
            "lstm": jr.LSTM(5, coupled=True, forget_offset=1.0),
            "gru": jr.GRU(5),
            "gru_after": jr.GRU(5, reset="after"),
        }.items()
    ),
    *(
        Row(name, cell, hidden_is_output=True, exempt=_JUMPING)
        for name, cell in {
            "orthogonal_cayley": jr.OrthogonalRNN(5),
            "orthogonal_exponential": jr.OrthogonalRNN(5, "exponential"),
        }.items()
    ),
    Row(
        "orthogonal_householder",
        jr.OrthogonalRNN(5, "householder", activation="tanh", reflections=2),
        hidden_is_output=True,
    ),
    Row("unitary", jr.UnitaryRNN(5), hidden_is_output=True),
    Row("child_sum_tree", jr.ChildSumTreeLSTM(5), hidden_is_output=True),
    Row("nary_tree", jr.NaryTreeLSTM(5), hidden_is_output=True),
    *(
        Row(name, cell.replace(layer_norm=True), hidden_is_output=True, exempt=_STEEP)
        for name, cell in {
            "elman_layer_norm": jr.Elman(5),
            "lstm_layer_norm": jr.LSTM(5),
            "gru_layer_norm": jr.GRU(5),
            "gru_after_layer_norm": jr.GRU(5, reset="after"),
        }.items()
    ),
    Row("diagonal_linear", jr.DiagonalLinear(5), hidden_is_output=True),
    Row("min_gru", jr.MinGRU(5), hidden_is_output=True),
    Row("min_lstm", jr.MinLSTM(5), hidden_is_output=True),
    Row("lru", jr.LRU(5, 2)),
    Row("s5", jr.S5(5, 2)),
    Row("rg_lru", jr.RGLRU(5), hidden_is_output=True),
    Row("sru", jr.SRU(5)),
    Row("sru_of_its_size", jr.SRU(3)),
    Row("qrnn", jr.QRNN(5, window=4)),
    Row("matrix_lstm", jr.MatrixLSTM(2, 4, chunk=3)),
    Row("scalar_lstm", jr.ScalarLSTM(5), hidden_is_output=True),
    Row("scalar_lstm_heads", jr.ScalarLSTM(6, heads=2), hidden_is_output=True),
    *(
        Row(name, cell, hidden_is_output=True)
        for name, cell in {
            "basic_gated_unit": jr.BasicGatedUnit(5),
            "mgu": jr.MGU(5),
            "mgu_after": jr.MGU(5, "after", "keep"),
            "mut1": jr.MUT1(5),
            "mut2": jr.MUT2(5),
            "mut3": jr.MUT3(5),
            "nas": jr.NAS(5),
            "rhn": jr.RHN(5, depth=2),
            "rhn_uncoupled": jr.RHN(5, depth=2, coupled=False),
            "multiplicative_rnn": jr.MultiplicativeRNN(5, factor_size=4),
            "multiplicative_lstm": jr.MultiplicativeLSTM(5),
            "indrnn": jr.IndRNN(5),
        }.items()
    ),
    Row("mut1_same_size", jr.MUT1(5), 5, hidden_is_output=True),
    Row("mut2_same_size", jr.MUT2(5), 5, hidden_is_output=True),
    Row(
        "echo_state",
        jr.EchoState(5, leak=0.7),
        hidden_is_output=True,
        exempt=_UNTRAINED,
    ),
    Row("conv_lstm", jr.ConvLSTM(3), (4, 5, 2), hidden_is_output=True),
    Row("conv_gru", jr.ConvGRU(3, (2, 3)), (4, 5, 2), hidden_is_output=True),
    Row(
        "conv_gru_after",
        jr.ConvGRU(3, (4,), reset="after"),
        (5, 2),
        hidden_is_output=True,
    ),
    Row(
        "stack",
        jr.Stack(jr.Embed(11, 4), *_LAYERS),
        None,
        tokens(11),
        representative=True,
    ),
    Row(
        "stack_in_stack",
        jr.Stack(jr.Dense(4), jr.Stack(*_LAYERS), jr.Elman(10)),
        hidden_is_output=True,
    ),
    Row("bidirectional", jr.Bidirectional(jr.LSTM(5), jr.GRU(6))),
    Row("reverse", jr.Reverse(jr.LSTM(5))),
    Row("learned_carry", jr.LearnedCarry(jr.LSTM(5)), hidden_is_output=True),
    Row("residual", jr.Residual(jr.LSTM(3))),
    Row(
        "residual_of_both_directions",
        jr.Residual(jr.Bidirectional(jr.LSTM(5), jr.GRU(6))),
        11,
    ),
    Row("highway", jr.Highway(jr.GRU(3))),
    Row(
        "skip_through_time",
        jr.SkipThroughTime(jr.LSTM(5), k=3),
        hidden_is_output=True,
    ),
    Row("variational_dropout", jr.VariationalDropout(jr.GRU(5), 0.3, 0.4, 0.2)),
    Row("zoneout", jr.Zoneout(jr.LSTM(5), 0.3, 0.6), hidden_is_output=True),
    Row("weight_drop", jr.WeightDrop(jr.GRU(5), 0.4), hidden_is_output=True),
    Row("weight_noise", jr.WeightNoise(jr.Elman(5), 0.1), hidden_is_output=True),
    Row("tied", jr.Tied(jr.Embed(11, 4), jr.GRU(5), jr.Dense(4)), None, tokens(11)),
    Row(
        "attend",
        jr.Attend(jr.LSTM(5), memory_size=6),
        context=memory(6),
        hidden_is_output=True,
    ),
    Row(
        "attend_after",
        jr.Attend(
            jr.GRU(5), jr.attention.Additive(10), memory_size=6, look="after", size=9
        ),
        context=memory(6),
    ),
    Row(
        "attend_after_unfed",
        jr.Attend(
            jr.GRU(5, reset="after"), memory_size=6, look="after", feed=False, size=9
        ),
        context=memory(6),
    ),
    Row(
        "attend_sparsemax",
        jr.Attend(
            jr.Zoneout(jr.LSTM(5), 0.3),
            jr.attention.General(normalize="sparsemax"),
            memory_size=6,
        ),
        context=memory(6),
        hidden_is_output=True,
    ),
    Row(
        "attend_multi_head",
        jr.Attend(
            jr.Stack(jr.Dropout(0.4), jr.GRU(5)),
            jr.attention.MultiHead(2, 10),
            memory_size=6,
        ),
        context=memory(6),
        hidden_is_output=True,
    ),
    Row(
        "attend_location",
        jr.Attend(
            jr.Stack(jr.Elman(5), jr.LSTM(9)),
            jr.attention.LocationAware(10, coverage=True, filters=2, width=3),
            memory_size=6,
        ),
        context=memory(6),
        hidden_is_output=True,
    ),
    Row(
        "attend_monotonic",
        jr.Attend(jr.GRU(5), jr.attention.Monotonic(10), memory_size=6),
        context=memory(6),
        hidden_is_output=True,
        exempt=_HARD,
    ),
    Row(
        "copy",
        jr.Copy(
            jr.Stack(
                jr.Embed(11, 3),
                jr.Attend(
                    jr.GRU(5), jr.attention.Additive(10), memory_size=6, look="after"
                ),
            ),
            11,
        ),
        None,
        tokens(11),
        context=copied_memory(6, 11),
    ),
    Row(
        "encoder_decoder",
        jr.EncoderDecoder(jr.LSTM(5), encoder=jr.Stack(jr.Embed(11, 4), jr.LSTM(5))),
        context=source(11),
        hidden_is_output=True,
    ),
    Row(
        "own_symbols",
        jr.OwnSymbols(jr.Stack(jr.Embed(11, 4), jr.GRU(5), jr.Dense(11))),
        inputs=tokens(11),
        exempt={
            "no_weight_is_accumulated_in_the_loop": "the embedding is read in the loop,"
            " where the model's own symbols are known"
        },
    ),
    Row(
        "encoder_decoder_attending",
        jr.EncoderDecoder(
            jr.Attend(jr.LSTM(5), jr.attention.Additive(10), memory_size=12),
            encoder=jr.Stack(jr.Embed(11, 4), jr.Bidirectional(jr.GRU(6))),
            bridge=jr.Bridge(),
        ),
        context=source(11),
        hidden_is_output=True,
    ),
    Row(
        "batch_norm",
        jr.Stack(jr.BatchNorm(), jr.LSTM(5)),
        context=averages(3),
    ),
    Row(
        "three_deep",
        jr.Stack(
            jr.Highway(jr.Residual(jr.Zoneout(jr.WeightDrop(jr.LSTM(3), 0.4), 0.3))),
            jr.SkipThroughTime(
                jr.LearnedCarry(jr.VariationalDropout(jr.GRU(5), 0.3, 0.4)), k=2
            ),
            jr.WeightNoise(jr.Attend(jr.Elman(9), memory_size=6), 0.1),
        ),
        context=memory(6),
        hidden_is_output=True,
    ),
    Row(
        "a_users_cell",
        Traced(5),
        representative=True,
        hidden_is_output=True,
        names=_USER,
    ),
    Row("a_count_of_steps", Counting(3), hidden_is_output=True, names=_USER),
    Row(
        "a_tree_of_inputs",
        Labelled(5, 11),
        inputs=labelled(3, 11),
        names=_USER,
        exempt={"output_size_is_that_of_an_output": "`output_size` knows one input"},
    ),
]
