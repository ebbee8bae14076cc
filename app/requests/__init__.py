"""What each task of the workers is asked: one frozen class a task, which pages make and tasks take.

One module a subject, under the names of those of `app.tasks` that do the work; all of them are had from here.
Imports nothing heavy, so that pages can ask.
"""

from app.requests.areas import CountInside, InpaintArea, ReadRegions, TrainWithoutArea
from app.requests.cell_sets import BringIn, TakeArea, WriteSet
from app.requests.cell_types import DescribeTypes, NameByFile, NameCells, ReadLabelColumns, SplitType
from app.requests.co_occurrence import CoOccurrence, Neighbours, WriteSequences
from app.requests.comparison import AddGeneSets, Differential, Pseudobulk, ReadGeneSets
from app.requests.exports import Draw, DrawMap, DrawStage, WriteCsv
from app.requests.images import AddImage, LookAtImage
from app.requests.models import AddModel, EstimateTraining, LearnToInpaint, PackModel, TrainModel
from app.requests.sections import AddFound, FoundPicture, ImportSamples, Keep, Rebuild, TakeBack, Validate
from app.requests.stacks import Align, InpaintStack, TrainOnStack
from app.requests.tokens import Activate, SumTokens, Tokenise

__all__ = [
    "Activate",
    "AddFound",
    "AddGeneSets",
    "AddImage",
    "AddModel",
    "Align",
    "BringIn",
    "CoOccurrence",
    "CountInside",
    "DescribeTypes",
    "Differential",
    "Draw",
    "DrawMap",
    "DrawStage",
    "EstimateTraining",
    "FoundPicture",
    "ImportSamples",
    "InpaintArea",
    "InpaintStack",
    "Keep",
    "LearnToInpaint",
    "LookAtImage",
    "NameByFile",
    "NameCells",
    "Neighbours",
    "PackModel",
    "Pseudobulk",
    "ReadGeneSets",
    "ReadLabelColumns",
    "ReadRegions",
    "Rebuild",
    "SplitType",
    "SumTokens",
    "TakeArea",
    "TakeBack",
    "Tokenise",
    "TrainModel",
    "TrainOnStack",
    "TrainWithoutArea",
    "Validate",
    "WriteCsv",
    "WriteSequences",
    "WriteSet",
]
