"""The arguments of a job: from a call to one JSON object, parameter name to value, and back.

A call is checked by the names of the function's parameters when it is pushed (`pack`), and by their types when it is
carried out (`unpack`): msgspec decodes the JSON text straight into a Struct that has the parameters as its fields, and
converts on the way. What was left out of the call is left out of the JSON, so that a default may change between the
push and the work. Without msgspec only the names are checked, and values stay as JSON has them.
"""

from __future__ import annotations

import inspect
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast, get_type_hints

from jobcore._json import decode
from jobcore.errors import InvalidCall, InvalidJobType

try:
    import msgspec as _msgspec
except ImportError:  # no wheel for this interpreter
    _msgspec = None  # type: ignore[assignment]

msgspec: Any = _msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EMPTY = (b"{}", b"null")
"""The JSON texts of a call without arguments; `null` is what a job pushed by its bare name has."""

_REFUSED = {
    inspect.Parameter.POSITIONAL_ONLY: "positional-only",
    inspect.Parameter.VAR_POSITIONAL: "of the kind *args",
}


class Arguments:
    """What the function of a job takes, its context aside."""

    def __init__(self, name: str, signature: inspect.Signature, function: Callable[..., Any]) -> None:
        self._call = f"{name}()"
        self._signature = signature
        self._globals: dict[str, Any] = getattr(inspect.unwrap(function), "__globals__", {})
        parameters = signature.parameters.values()
        for parameter in parameters:
            if parameter.kind in _REFUSED:
                kind = _REFUSED[parameter.kind]
                raise InvalidCall(self._call, f"has a parameter {parameter.name!r} {kind}, which has no name in JSON")
        named = [parameter for parameter in parameters if parameter.kind is not inspect.Parameter.VAR_KEYWORD]
        self._takes_more = len(named) < len(parameters)
        self._names = frozenset(parameter.name for parameter in named)
        self._positional = tuple(p.name for p in named if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD)
        # So many arguments by position are a whole call; none are where there are keyword-only parameters.
        self._complete = len(self._positional) if len(self._positional) == len(named) else -1
        self._required = frozenset(p.name for p in named if p.default is inspect.Parameter.empty)
        self._decode: Callable[[bytes], dict[str, Any]] | None = None
        if msgspec is None:
            self._decode = self._decode_names
        else:
            with suppress(NameError):  # an annotation that is defined further down; the first execution will know it
                self._decode = self._typed_decoder(_names_around_the_declaration())

    def pack(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name; `InvalidCall` for a call that Python would refuse."""
        if not kwargs and len(args) == self._complete:
            return dict(zip(self._positional, args, strict=True))
        if not args and len(kwargs) == len(self._names) and kwargs.keys() <= self._names:
            return dict(kwargs)
        call = dict(zip(self._positional, args, strict=False))
        surplus = len(args) > len(self._positional) or not call.keys().isdisjoint(kwargs)
        call.update(kwargs)
        if surplus or not self._fits(call):
            try:
                self._signature.bind(*args, **kwargs)
            except TypeError as error:
                raise InvalidCall(self._call, f"cannot be called so: {error}") from None
        return call

    def unpack(self, raw: bytes) -> dict[str, Any]:
        """The keyword arguments of a call, converted by the annotations; `InvalidCall` for what does not fit."""
        if raw in EMPTY and not self._required:
            return {}
        if self._decode is None:
            try:
                self._decode = self._typed_decoder({})
            except NameError as error:
                raise InvalidCall(self._call, f"has an annotation that cannot be resolved: {error}") from error
        try:
            return self._decode(raw)
        except ValueError as error:
            raise InvalidCall(self._call, f"does not take these arguments: {error}") from error

    def _fits(self, call: dict[str, Any]) -> bool:
        return call.keys() >= self._required and (self._takes_more or call.keys() <= self._names)

    def _typed_decoder(self, local_names: Mapping[str, Any]) -> Callable[[bytes], dict[str, Any]]:
        hints = self._hints(local_names)
        optional = self._names - self._required
        fields: list[Any] = [
            (name, hints.get(name, Any) | msgspec.UnsetType, msgspec.UNSET)
            if name in optional
            else (name, hints.get(name, Any))
            for name in sorted(self._names, key=optional.__contains__)
        ]
        struct = msgspec.defstruct("Arguments", fields, forbid_unknown_fields=not self._takes_more, gc=False)
        try:
            decoder = msgspec.json.Decoder(struct)
        except TypeError as error:
            raise InvalidJobType(self._call, f"annotated with types that JSON can be converted to ({error})") from error
        if self._takes_more:
            return self._open_ended_decoder(decoder, next((t for n, t in hints.items() if n not in self._names), Any))
        if optional:
            return lambda raw: _given(decoder.decode(raw))
        as_dict = msgspec.structs.asdict
        return lambda raw: as_dict(decoder.decode(raw))

    def _open_ended_decoder(self, decoder: Any, kind: Any) -> Callable[[bytes], dict[str, Any]]:
        def decode_all(raw: bytes) -> dict[str, Any]:
            named = _given(decoder.decode(raw))
            rest = {name: value for name, value in decode(raw).items() if name not in self._names}
            return {**named, **msgspec.convert(rest, dict[str, kind])}

        return decode_all

    def _hints(self, local_names: Mapping[str, Any]) -> dict[str, Any]:
        """The types of the parameters only: what a function returns may be known to type checkers only."""
        annotations = {
            parameter.name: parameter.annotation
            for parameter in self._signature.parameters.values()
            if parameter.annotation is not inspect.Parameter.empty
        }
        annotated = SimpleNamespace(__annotations__=annotations)
        return get_type_hints(annotated, self._globals, dict(local_names), include_extras=True)

    def _decode_names(self, raw: bytes) -> dict[str, Any]:
        found: Any = decode(raw)
        if not isinstance(found, dict):
            raise ValueError("they are no JSON object")  # noqa: TRY004  (the text is wrong, not the call)
        call = cast("dict[str, Any]", found)
        if not self._fits(call):
            names = ", ".join(sorted(call.keys() ^ self._names))
            raise ValueError(f"a required one is missing or an unknown one is given, of {names}")
        return call


def _names_around_the_declaration() -> Mapping[str, Any]:
    """The local names where the job is declared: a type that is made in a function can be found there only."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("jobcore.app."):
        frame = frame.f_back
    return {} if frame is None else frame.f_locals


def _given(struct: Any) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(struct).items() if value is not msgspec.UNSET}
