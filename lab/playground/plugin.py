"""TensorBoard's tab "Faces": static files for the browser, and requests with JSON responses.

TensorBoard imports this module when it starts, so it does not import PyTorch: the rest of the lab
is imported at the first request, and if that fails the page shows the error.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorboard.backend.http_util import Respond
from tensorboard.plugins import base_plugin
from werkzeug.wrappers import Request, Response

from lab.playground.errors import NotThere, Overtaken, RequestError, one_line
from lab.playground.guard import PERMISSION, TRAINING, stranger

if TYPE_CHECKING:
    from lab.playground.model_cache import Key
    from lab.playground.service import Service
    from lab.playground.trainer import Trainer

NAME, TITLE = "lab_faces", "Faces"

QUESTIONS = (
    "table", "runs", "about", "look", "effects", "random", "strips", "parts", "nearest", "fool",
    "round", "over_training", "training_faces", "levels", "tray", "play", "place", "album",
    "picture", "occluded", "similar", "causes",
)  # fmt: skip
"""The requests of `lab.playground.service`, listed here so that TensorBoard need not import it."""

FILES = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".js": "application/javascript", ".css": "text/css"}

LONGEST = 10_000
"""Most bytes of a POST request."""

App = Callable[..., Any]


class FacesPlugin(base_plugin.TBPlugin):  # type: ignore[misc]
    """The tab. It reads only the logdir, and the pictures that its runs were trained on; it writes
    nothing there, but a `trainer` writes its runs."""

    plugin_name = NAME
    model_files: Sequence[Path] = ()
    """Present paths of network files that were moved since training."""
    allowed: Collection[Key] = ()
    """Keys of network files permitted at the start, as `model_cache.keys_of` returns them."""
    trainer: Trainer | None = None
    """What trains the runs that are started on the page; None: none can be."""

    def __init__(self, context: Any) -> None:
        """`context` is TensorBoard's `TBContext`, of which logdir and path prefix are used."""
        self._logdir: str | None = context.logdir
        flags = getattr(context, "flags", None)
        self._prefix: str = getattr(flags, "path_prefix", None) or ""
        self._service: Service | None = None
        self._lock = threading.Lock()

    def get_plugin_apps(self) -> dict[str, App]:
        """The routes below /data/plugin/lab_faces."""
        files = {f"/{path.name}": self._file(path) for path in sorted(FILES.iterdir())}
        questions = {f"/{name}": self._question(name) for name in QUESTIONS}
        return {
            **files, **questions,
            "/allow": self._post(lambda told: self.service().allow(_text(told, "run"))),
            "/training": self._training(),
            "/train": self._post(self._train, wants=TRAINING),
        }  # fmt: skip

    def is_active(self) -> bool:
        """Always true: without runs the page shows how to train one."""
        return True

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """The tab's title and its JavaScript module."""
        return base_plugin.FrontendMetadata(es_module_path="/index.js", tab_name=TITLE)

    def service(self) -> Service:
        """The service, which imports the rest of the lab; `Broken` if that fails."""
        with self._lock:
            if self._service is None:
                try:
                    from lab.playground.service import Service

                    self._service = Service(self._logdir, self.model_files, self.allowed)
                except Exception as error:
                    raise Broken(
                        f"the lab cannot be imported: {type(error).__name__}: {one_line(error)}"
                    ) from error
            return self._service

    def _file(self, path: Path) -> App:
        @Request.application
        def serve(request: Request) -> Response:
            return _respond(request, path.read_text("utf-8"), kind=TYPES[path.suffix])

        return serve

    def _question(self, name: str) -> App:
        @Request.application
        def answer(request: Request) -> Response:
            if request.method not in ("GET", "HEAD"):
                return _refuse(request, "ask with GET", 405)
            parameters = {key: request.args.getlist(key) for key in request.args}
            about = {"stranger": stranger(request, self._prefix)} if name == "runs" else {}
            return self._answer(
                request,
                lambda: {
                    **self.service().ask(name, parameters, wanted=_waits(request)),
                    **about,
                },
            )

        return answer

    def _post(
        self,
        act: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        *,
        wants: tuple[str, str] = PERMISSION,
    ) -> App:
        """A route for JSON objects from this machine's own page, which `act` responds to."""

        @Request.application
        def post(request: Request) -> Response:
            # cross-site JSON posts need a CORS preflight request, which is refused
            if request.method != "POST" or request.mimetype != "application/json":
                return _refuse(request, "post a JSON object", 405)
            if refused := stranger(request, self._prefix, wants=wants):
                return _refuse(request, refused, 403)
            if (request.content_length or LONGEST + 1) > LONGEST:
                return _refuse(request, "that is too long", 400)
            try:
                told = json.loads(request.get_data())
            except (ValueError, RecursionError):
                told = None
            if not isinstance(told, dict):
                return _refuse(request, "post a JSON object", 400)
            return self._answer(request, lambda: act(told))

        return post

    def _training(self) -> App:
        """The route that tells what can be trained on the page, and what is."""

        @Request.application
        def training(request: Request) -> Response:
            if request.method not in ("GET", "HEAD"):
                return _refuse(request, "ask with GET", 405)
            if self.trainer is None:
                return _respond(request, json.dumps({"settings": [], "jobs": []}))
            from lab.playground.recipe import settings_table

            refused = stranger(request, self._prefix, wants=TRAINING)
            return self._answer(
                request,
                lambda: {
                    "settings": settings_table(),
                    "jobs": self.trainer.told() if self.trainer else [],
                    "stranger": refused,
                },
            )

        return training

    def _train(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """Start, stop or continue a run."""
        if self.trainer is None:
            raise NotThere("this board trains nothing: start it with --train")
        if not self.trainer.knows(told.get("token")):
            raise Forbidden("open the board by the link that it printed: it holds the permission")
        act = told.get("do")
        if act == "start":
            recipe = told.get("recipe")
            if not isinstance(recipe, dict):
                raise RequestError("recipe must be an object of settings")
            return {"name": self.trainer.start(recipe).name}
        acts = {"stop": self.trainer.stop, "go on": self.trainer.go_on}
        if not isinstance(act, str) or act not in acts:
            raise RequestError(f"do must be start, stop or go on, not {str(act)[:40]!r}")
        return {"name": acts[act](_text(told, "run")).name}

    def _answer(self, request: Request, ask: Callable[[], Mapping[str, Any]]) -> Response:
        try:
            return _respond(request, json.dumps(ask(), allow_nan=False))
        except Overtaken:
            return _respond(request, json.dumps({"overtaken": True}))
        except RequestError as refusal:
            return _refuse(request, str(refusal), refusal.status)
        except Exception as error:
            logging.getLogger(__name__).exception("the playground failed")
            return _refuse(request, f"the playground failed: {one_line(error)}", 500)


class Forbidden(RequestError):
    """A request without the token in the link that the board printed."""

    status = 403


class Broken(RequestError):
    """The lab cannot be imported, for example without PyTorch."""

    status = 503


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str):
        raise RequestError(f"post a JSON object with the text {name}")
    return value


def _waits(request: Request) -> Callable[[], bool]:
    """A function that tells whether the browser's connection is still open."""
    connection = request.environ.get("werkzeug.socket")
    look = getattr(socket, "MSG_DONTWAIT", None)  # Windows has none

    def waits() -> bool:
        if not isinstance(connection, socket.socket) or look is None:
            return True
        try:
            return bool(connection.recv(1, socket.MSG_PEEK | look))  # nothing: it was closed
        except BlockingIOError:
            return True
        except OSError:
            return False

    return waits


def _respond(
    request: Request, content: str, *, kind: str = "application/json", code: int = 200
) -> Response:
    response: Response = Respond(request, content, kind, code=code)
    return response


def _refuse(request: Request, line: str, code: int) -> Response:
    return _respond(request, json.dumps({"error": line}), code=code)
