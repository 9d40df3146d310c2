"""Our values and errors as fields of pydantic models; pydantic is imported only when it asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_args, get_origin

from attrs import NOTHING, fields, resolve_types

from pika_async._plain import plain

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


def value_schema(kind: type, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return the schema of an attrs class: an instance, or a mapping with its fields and no others."""
    from pydantic_core import core_schema

    with suppress(NameError):  # a name that only type checkers import: such fields take anything
        resolve_types(kind)
    shape = {
        a.alias or a.name: core_schema.typed_dict_field(
            _field_schema(a.type, handler), required=a.default is NOTHING
        )
        for a in fields(kind)
        if a.init
    }
    return _schema(kind, shape, lambda given: kind(**given))


def error_schema(kind: type, revive: Callable[[Mapping[str, Any]], object]) -> CoreSchema:
    """Return the schema of an error: an instance, or what `asdict` made of one, for *revive*."""
    from pydantic_core import core_schema

    text = core_schema.nullable_schema(core_schema.str_schema())
    number = core_schema.nullable_schema(core_schema.int_schema())
    seconds = core_schema.nullable_schema(core_schema.float_schema())
    charged = core_schema.literal_schema(["no", "yes", "unknown"])
    shape = {
        "type": core_schema.typed_dict_field(core_schema.str_schema()),
        "message": core_schema.typed_dict_field(core_schema.str_schema()),
        **{
            name: core_schema.typed_dict_field(schema, required=False)
            for name, schema in {
                **dict.fromkeys(("provider", "token", "phase", "trace_id", "code"), text),
                "charged": charged,
                "retryable": core_schema.bool_schema(),
                "status": number,
                "retry_after": seconds,
                "notes": core_schema.list_schema(core_schema.str_schema()),
            }.items()
        },
    }
    return _schema(kind, shape, revive)


def _schema(kind: type, shape: Mapping[str, Any], make: Callable[[Mapping[str, Any]], object]) -> CoreSchema:
    from pydantic_core import core_schema

    title = {"pydantic_js_updates": {"title": kind.__name__}}
    mapping = core_schema.typed_dict_schema(dict(shape), extra_behavior="forbid", metadata=title)
    made = core_schema.no_info_after_validator_function(make, mapping)
    # What `plain` returns holds plain JSON only, and `exclude_none` and its like apply to it; the documented
    # shape stays that of the fields.
    shown = core_schema.typed_dict_schema(
        {name: core_schema.typed_dict_field(core_schema.any_schema()) for name in shape},
        metadata=title | {"pydantic_js_functions": [lambda _, document: document(mapping)]},
    )
    return core_schema.json_or_python_schema(
        json_schema=made,
        python_schema=core_schema.union_schema([core_schema.is_instance_schema(kind), made]),
        serialization=core_schema.plain_serializer_function_ser_schema(plain, return_schema=shown),
    )


def _field_schema(kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    from pydantic import PydanticSchemaGenerationError, PydanticUndefinedAnnotation
    from pydantic_core import core_schema

    if Callable in {get_origin(part) for part in (kind, *get_args(kind))}:
        return core_schema.any_schema()  # pydantic can check a function, and not document it
    try:
        return handler.generate_schema(kind)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation):
        return core_schema.any_schema()  # a job or a secret: shown by `plain`, and checked by our class
