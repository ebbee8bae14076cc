from .report import Report as Report
from .sections import is_large as is_large
from .sections import obs_columns as obs_columns
from .sections import read as read
from .sections import read_and_validate as read_and_validate
from .sections import validate as validate
from .sections import write as write
