"""Training: losses of sequences, steps, checkpoints, and a loop made of them."""

from jaxrnn.training import metrics as metrics
from jaxrnn.training.callbacks import Callback as Callback
from jaxrnn.training.callbacks import MetricsFile as MetricsFile
from jaxrnn.training.callbacks import ProgressBar as ProgressBar
from jaxrnn.training.callbacks import read_rows as read_rows
from jaxrnn.training.checkpoints import Checkpoints as Checkpoints
from jaxrnn.training.clipping import clip as clip
from jaxrnn.training.clipping import global_norm as global_norm
from jaxrnn.training.fit import Fitted as Fitted
from jaxrnn.training.fit import fit as fit
from jaxrnn.training.loss import unroll_loss as unroll_loss
from jaxrnn.training.optimizers import adagrad as adagrad
from jaxrnn.training.schedules import cosine_decay as cosine_decay
from jaxrnn.training.schedules import scale_by_progress as scale_by_progress
from jaxrnn.training.schedules import step_decay as step_decay
from jaxrnn.training.sequence_loss import sequence_loss as sequence_loss
from jaxrnn.training.skipping import skip_nonfinite as skip_nonfinite
from jaxrnn.training.skipping import skipped_steps as skipped_steps
from jaxrnn.training.step import Objective as Objective
from jaxrnn.training.step import TrainState as TrainState
from jaxrnn.training.step import TrainStep as TrainStep
from jaxrnn.training.step import init_state as init_state
from jaxrnn.training.step import train_step as train_step
from jaxrnn.training.tbptt import tbptt_loss as tbptt_loss
from jaxrnn.training.weight_decay import l2 as l2
