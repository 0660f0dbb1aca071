"""The applications, each a short composition of the rooms below."""

from jaxrnn.models.language import MIN_CHAR_RNN as MIN_CHAR_RNN
from jaxrnn.models.language import LanguageConfig as LanguageConfig
from jaxrnn.models.language import language_model as language_model
from jaxrnn.models.language_training import bits_per_character as bits_per_character
from jaxrnn.models.language_training import language_objective as language_objective
from jaxrnn.models.language_training import language_optimizer as language_optimizer
from jaxrnn.models.pooling import pool as pool
from jaxrnn.models.sampling import sample as sample
