"""The applications, each a short composition of the rooms below."""

from jaxrnn.models.gradient_log import GradientLog as GradientLog
from jaxrnn.models.gradient_log import language_look as language_look
from jaxrnn.models.language import MIN_CHAR_RNN as MIN_CHAR_RNN
from jaxrnn.models.language import LanguageConfig as LanguageConfig
from jaxrnn.models.language import language_model as language_model
from jaxrnn.models.language_training import bits_per_character as bits_per_character
from jaxrnn.models.language_training import language_objective as language_objective
from jaxrnn.models.language_training import language_optimizer as language_optimizer
from jaxrnn.models.pooling import pool as pool
from jaxrnn.models.sampling import sample as sample
from jaxrnn.models.translating import Translation as Translation
from jaxrnn.models.translating import translate as translate
from jaxrnn.models.translation_scores import Score as Score
from jaxrnn.models.translation_scores import score as score
from jaxrnn.models.translation_scores import scores_by as scores_by
from jaxrnn.models.translator import TranslatorConfig as TranslatorConfig
from jaxrnn.models.translator import translator as translator
from jaxrnn.models.translator import translator_vocabulary as translator_vocabulary
from jaxrnn.models.translator_training import encoded_batches as encoded_batches
from jaxrnn.models.translator_training import nats_per_character as nats_per_character
from jaxrnn.models.translator_training import (
    translator_objective as translator_objective,
)
from jaxrnn.models.translator_training import (
    translator_optimizer as translator_optimizer,
)
