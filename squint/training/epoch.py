"""What one epoch of a training did."""

from typing import NamedTuple

from squint.model.bundle import Bundle


class Epoch(NamedTuple):
    """What one epoch of training did."""

    number: int  # from 1
    n_epochs: int
    losses: dict[str, float]  # mean of each term of equation 5, unweighted, and their weighted "total"
    codes_used: int  # codes that any training cell chose during the epoch
    perplexity: float  # of those choices: the number of codes if all were used alike
    codes_revived: int
    masked: float  # fraction of cells masked in the last step
    learning_rate: float  # in the last step
    seconds: float  # of going through all tiles; starting the codebook and all that follows come on top
    bundle: Bundle  # the model so far; its metrics are there after the last epoch
