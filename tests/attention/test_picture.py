"""Alignments as pictures and as text: what stands where, and nothing global."""

import re
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from jaxrnn.attention import heat_map, heat_text

WEIGHTS = np.array([[1.0, 0.0, 0.02], [0.25, 0.5, 0.25], [0.0, 0.3, 0.7]])


def test_text():
    assert heat_text(WEIGHTS, "a c", "xyz") == "  a ␣ c\nx █\ny ░ ▒ ░\nz   ░ ▓"


def test_words_stand_upright_and_line_up():
    text = heat_text(WEIGHTS, ["the", "a", "of"], ["le", "un", "x"])
    assert text.splitlines()[:3] == ["   t a o", "   h   f", "   e"]
    assert text.splitlines()[-1] == " x   ░ ▓"


def test_padding_is_left_out():
    padded = np.pad(WEIGHTS, ((0, 2), (0, 4)))
    assert heat_text(padded, "abc", "xyz") == heat_text(WEIGHTS, "abc", "xyz")
    assert heat_map(padded, "abc", "xyz").axes[0].images[0].get_array().shape == (3, 3)


def test_a_picture_shows_the_weights_beside_both_texts(tmp_path):
    figure = heat_map(WEIGHTS, "a c", ["le", "un", "x"])
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), WEIGHTS)
    texts = lambda labels: [label.get_text() for label in labels]
    assert texts(axes.get_xticklabels()) == ["a", "␣", "c"]
    assert texts(axes.get_yticklabels()) == ["le", "un", "x"]
    figure.savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


def test_letters_of_a_long_text_do_not_touch(tmp_path):
    source, target = "Samstag, den 9. Februar 2024", "2024-02-09"
    weights = np.random.default_rng(0).dirichlet(np.ones(len(source)), len(target))
    figure = heat_map(weights, source, target)
    figure.savefig(tmp_path / "picture.png")
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    for one, two in pairwise(boxes):
        assert one.x1 < two.x0
    rows = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    for above, below in pairwise(rows):
        assert above.y0 > below.y1


@pytest.mark.slow
def test_no_window_library_is_touched():
    code = (
        "import sys, numpy as np; from jaxrnn.attention import heat_map;"
        "heat_map(np.eye(2), 'ab', 'xy'); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


ERRORS = {
    "batch": (
        np.ones((2, 3, 4)),
        "`alignments` must have shape [T, S], of one row, got (2, 3, 4)",
    ),
    "long_target": (
        np.ones((2, 3)),
        "`target` must have 1 to 2 symbols, as `alignments` has shape (2, 3), got 3",
    ),
    "long_source": (
        np.ones((3, 2)),
        "`source` must have 1 to 2 symbols, as `alignments` has shape (3, 2), got 3",
    ),
}


@pytest.mark.parametrize("weights, message", ERRORS.values(), ids=ERRORS.keys())
def test_errors(weights, message):
    for draw in (heat_map, heat_text):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            draw(weights, "abc", "xyz")
