"""What the workers for files can do: uploads, pictures and models looked at, kept and taken back."""

from pathlib import Path
from typing import Any

from app import requests
from app.tasks import audit_log, boundaries, images, models, quality, sections, transcripts
from app.tasks.decode import does


def start(model: Path | None) -> dict[str, Any]:
    """Start; a model is loaded when an upload is first compared with it."""
    models.use(model)
    return {}


TASKS = dict(
    (
        does(requests.Validate, sections.validate),
        does(requests.Keep, sections.keep),
        does(requests.ImportSamples, sections.import_samples),
        does(requests.TakeBack, quality.take_back),
        does(requests.Rebuild, sections.rebuild),
        does(requests.AddFound, sections.add_found),
        does(requests.LookAtImage, images.look),
        does(requests.AddImage, images.add),
        does(requests.AddModel, models.bring_in),
        does(requests.ReadTranscripts, transcripts.read_transcripts),
        does(requests.CheckLog, audit_log.check),
        does(requests.WriteLog, audit_log.write),
        does(requests.MakeTiles, boundaries.make_tiles),
    )
)
