"""The OpenAPI document against its own rules: schemas are valid JSON Schema 2020-12, and every example is as its schema says."""

import jsonschema

import openapi
import python_client

# Of the document itself, what OpenAPI 3.1 asks for; of each operation, what we ask for as well.
SHAPE = {
    "type": "object", "required": ["openapi", "info", "paths", "components", "servers", "tags"], "additionalProperties": False,
    "properties": {
        "openapi": {"pattern": r"^3\.1\.\d+$"},
        "info": {"type": "object", "required": ["title", "version", "description", "license"]},
        "servers": {"type": "array", "items": {"type": "object", "required": ["url"]}},
        "tags": {"type": "array", "items": {"type": "object", "required": ["name", "description"]}},
        "paths": {"type": "object", "propertyNames": {"pattern": "^/"},
                  "additionalProperties": {"type": "object", "propertyNames": {"enum": ["get", "post", "put", "delete"]},
                                           "additionalProperties": {"$ref": "#/$defs/operation"}}},
        "components": {"type": "object", "additionalProperties": False, "properties": {
            "schemas": {"type": "object", "propertyNames": {"pattern": "^[A-Z][A-Za-z]+$"}},
            "headers": {"type": "object", "additionalProperties": {"$ref": "#/$defs/described"}},
            "securitySchemes": {"type": "object", "additionalProperties": {"type": "object", "required": ["type"]}}}}},
    "$defs": {
        "described": {"type": "object", "required": ["schema", "description"]},
        "media": {"type": "object", "propertyNames": {"pattern": r"^([a-z]+/[a-z-]+|\*/\*)$"},
                  "additionalProperties": {"type": "object", "additionalProperties": False, "properties": {"schema": True, "example": True}}},
        "operation": {
            "type": "object", "required": ["operationId", "summary", "tags", "security", "responses"], "additionalProperties": False,
            "properties": {
                "operationId": {"pattern": "^[a-z][A-Za-z]+$"}, "summary": {"type": "string", "minLength": 1},
                "tags": {"type": "array", "minItems": 1}, "security": {"type": "array"},
                "parameters": {"type": "array", "items": {
                    "type": "object", "required": ["name", "in", "schema", "description"], "additionalProperties": False,
                    "properties": {"name": {"type": "string"}, "in": {"enum": ["path", "query", "header"]}, "required": {"const": True},
                                   "schema": True, "description": {"type": "string"}, "example": True}}},
                "requestBody": {"type": "object", "required": ["content"], "additionalProperties": False,
                                "properties": {"required": {"type": "boolean"}, "content": {"$ref": "#/$defs/media"}}},
                "responses": {"type": "object", "minProperties": 2, "propertyNames": {"pattern": "^[1-5][0-9][0-9]$"},
                              "additionalProperties": {
                                  "type": "object", "required": ["description", "headers"], "additionalProperties": False,
                                  "properties": {"description": {"type": "string"}, "headers": {"type": "object"},
                                                 "content": {"$ref": "#/$defs/media"}}}}}}}}


def validator(document, schema):
    """Of a schema whose references lead into the document."""
    return jsonschema.Draft202012Validator(schema, resolver=jsonschema.RefResolver("", document), format_checker=jsonschema.FormatChecker())


def complaints_of(document, schema, value):
    for error in validator(document, schema).iter_errors(value):
        yield f"{'/'.join(map(str, error.absolute_path)) or 'all of it'}: {error.message[:200]}"


def bodies(operation):
    yield "request", operation.get("requestBody", {})
    yield from operation["responses"].items()


def wrong_schemas(document):
    for name, schema in document["components"]["schemas"].items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            yield f"schema {name}: {error.message}"


def wrong_examples(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method.upper()} {path}"
            for parameter in operation.get("parameters", []):
                if "example" in parameter:
                    for said in complaints_of(document, parameter["schema"], parameter["example"]):
                        yield f"{where}: the example of {parameter['name']}: {said}"
            for name, body in bodies(operation):
                for kind, media in body.get("content", {}).items():
                    if "example" in media and kind == "application/json":
                        for said in complaints_of(document, media["schema"], media["example"]):
                            yield f"{where}: the example of {name}: {said}"


def check():
    complaints = openapi.check()
    if complaints:
        return complaints
    document = openapi.document()
    shape = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
             for error in jsonschema.Draft202012Validator(SHAPE).iter_errors(document)]
    wrong = [*shape, *wrong_schemas(document)] or wrong_examples(document)  # an example says nothing of a schema that is none
    return [f"{openapi.SOURCES}: {said}" for said in wrong] or python_client.check()
