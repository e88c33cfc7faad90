"""A client of Infra's HTTP interface, a method an operation. Written by `./dev docs` from the description at /openapi.json: change that in
src/http/openapi/, not this file. transport.py says how requests are sent, and what InfraError tells."""

import json
from collections.abc import Iterator
from typing import Any, Literal, NotRequired, TypedDict
from urllib.parse import quote

from .transport import InfraError, Transport, form

__all__ = [
    "Accepted", "Advice", "Applied", "Audit", "AuditEntry", "Caller", "Client", "CpuUse", "Deleted", "EngineHealth", "EnvVars", "Error", "Event",
    "Function", "FunctionChange", "Health", "Heartbeat", "InfraError", "Invocation", "Key", "Keys", "LogLine", "LogRow", "MemorySetting", "Model",
    "Models", "Network", "Noted", "OutputFile", "OverloadState", "Overview", "PeakMemory", "Pending", "Pools", "RunErrorCode", "RunResult",
    "RunStatus", "Runtime", "Scope", "Series", "SeriesPoint", "SystemStatus", "ToldKey", "UpdateForm", "Updated", "UploadForm", "Uploaded",
    "WantedKey", "Worker", "Workers"
]

Runtime = Literal["python", "nodejs", "cpp", "go"]
Network = Literal["none", "egress"]
EnvVars = dict[str, str]
RunStatus = Literal["SUCCESS", "FAILED", "TIMEOUT", "ERROR"]
Pools = dict[str, int]
Scope = Literal["invoke", "read", "deploy", "admin"]
RunErrorCode = Literal[
    "invalid_runtime", "egress_unavailable", "bundle_too_large", "not_a_zip", "bundle_empty", "bundle_encrypted", "bundle_compression",
    "bundle_corrupt", "bundle_too_many_entries", "bundle_too_large_unpacked", "bundle_ratio", "invalid_bundle_path", "bundle_has_link",
    "bundle_has_special_file", "bundle_duplicate_entry", "bundle_entry_missing", "bundle_entry_ambiguous", "invalid_executable", "compile_error",
    "compiler_missing", "bundle_unreadable", "bundle_not_unpacked", "function_has_no_code", "handler_error", "import_error", "handler_missing",
    "result_not_json", "result_too_large", "exited", "crashed", "out_of_memory", "runner_broken", "timeout", "worker_lost", "sandbox_failed",
    "no_free_slot", "no_descriptors", "input_lost", "input_not_seen", "invalid_message", "code_not_found", "code_store_unavailable", "shutting_down",
    "builds_busy", "disk_full", "disk_failed", "disk_error", "s3_refused", "aws_throttled", "aws_unavailable", "aws_timeout", "aws_denied",
    "circuit_open", "no_credentials"]


class Error(TypedDict):
    error: str  # A sentence for people, which says what to do and may change.
    code: str  # For programs; docs/errors.md lists all.
    requestId: str
    jobId: NotRequired[str]  # Of POST /run, where the run may go on: GET /status has its result.


class UploadForm(TypedDict):
    file: bytes  # The ZIP, at most 50 MiB.
    name: NotRequired[str]  # Percent-encoded, 1 to 256 bytes; with deploy=true 1 to 64 of A-Z a-z 0-9 _ -. The file's name if absent.
    deploy: NotRequired[bool]  # true: makes or replaces the function of this name.
    runtime: NotRequired[Runtime]
    memoryMb: NotRequired[int]  # 128 (default) to 10240.
    network: NotRequired[Network]
    keepWarm: NotRequired[int]  # Instances that wait for calls, 0 (default) to 16.
    maxConcurrency: NotRequired[int]  # Runs at once, 1 to 1000; 0 (default) is no limit.
    description: NotRequired[str]  # At most 4096 bytes.
    envVars: NotRequired[dict[str, str]]  # A JSON object of strings.
    timeoutMs: NotRequired[int]  # 100 to 900000; 300000 by default.


class UpdateForm(TypedDict):
    file: NotRequired[bytes]  # New code.
    name: NotRequired[str]  # Percent-encoded.
    claim: NotRequired[bool]  # true: the function claims its name.
    memoryMb: NotRequired[int]
    memory: NotRequired[int]  # Another name of memoryMb; below 128 it is raised to that.
    network: NotRequired[Network]
    keepWarm: NotRequired[int]
    maxConcurrency: NotRequired[int]
    description: NotRequired[str]
    envVars: NotRequired[dict[str, str]]
    timeoutMs: NotRequired[int]


class FunctionChange(TypedDict):
    name: NotRequired[str]
    claim: NotRequired[bool]  # true: the function claims its name.
    description: NotRequired[str]
    memoryMb: NotRequired[int]
    memory: NotRequired[int]  # Another name of memoryMb; below 128 it is raised to that.
    envVars: NotRequired[EnvVars]
    timeoutMs: NotRequired[int]
    network: NotRequired[Network]
    keepWarm: NotRequired[int]
    maxConcurrency: NotRequired[int | None]  # 0 or null is no limit.


class Uploaded(TypedDict):
    success: Literal[True]
    functionId: str
    name: str
    runtime: Runtime
    memoryMb: int
    codeSha256: str
    deployed: NotRequired[Literal["created", "replaced"]]  # With deploy=true: which.


class Updated(TypedDict):
    success: Literal[True]
    functionId: str


class Deleted(TypedDict):
    success: Literal[True]
    deletedId: str


class Applied(TypedDict):
    success: Literal[True]
    functionId: str
    memoryMb: int


class Function(TypedDict):
    envVars: NotRequired[dict[str, str | None]]  # Of a single function: its names, and with showEnv=true their values, else null.
    functionId: str
    id: str  # The same.
    name: str
    description: str
    runtime: Runtime
    memoryMb: int
    network: Network
    keepWarm: int
    maxConcurrency: int  # 0: no limit.
    invocations: int
    avgDuration: int  # Whole milliseconds, rounded up.
    avgHandlerDuration: float | None  # Milliseconds; null if no run had a handler time.
    uploadedAt: str
    updatedAt: str
    s3Key: str  # Its code's key in the store; empty if it has none.
    quarantinedUntil: NotRequired[str]  # Its runs are refused until then (function_quarantined). Of a single function alone.


class PeakMemory(TypedDict):
    p50: int
    p95: int
    max: int
    coldMax: int
    warmMax: int


class CpuUse(TypedDict):
    used: float | None
    share: float
    bound: bool


class MemorySetting(TypedDict):
    memoryMb: int


class Advice(TypedDict):
    functionId: str
    since: str
    allocatedMemoryMb: int
    runs: int
    coldStarts: int
    outOfMemoryRuns: int
    peakMemoryBytes: PeakMemory | None
    cpu: CpuUse
    verdict: Literal["unknown", "keep", "lower", "raise"]
    confidence: Literal["none", "low", "medium", "high"]
    recommendedMemoryMb: int | None
    estimatedSavings: str | None
    optimizationTip: str
    apply: MemorySetting | None  # The body for PUT /functions/:id, if there is anything to change.


class SeriesPoint(TypedDict):
    time: str  # Where the step begins.
    runs: int
    errors: int  # Of them, those without success.
    coldStarts: int
    averageMs: float
    p50Ms: float  # To within 10 %.
    p99Ms: float
    maxMs: float
    peakMemoryMb: int | None


Series = TypedDict("Series", {
    "functionId": str, "from": str, "to": str, "step": int, "points": list[SeriesPoint]})


class Invocation(TypedDict):
    """At most 10 MiB and 64 members; others than these are ignored."""
    functionId: str  # An id, or name:NAME.
    inputData: NotRequired[Any]  # Any JSON, at most 499 levels deep; goes to the function as it was written.
    modelId: NotRequired[str | None]  # The AI node's model, at most 256 bytes.


class OutputFile(TypedDict):
    name: str
    size: int
    sha256: str | None
    key: str


class RunResult(TypedDict):
    traceId: NotRequired[str | None]  # Of the W3C trace that the run belongs to.
    requestId: str
    functionId: str
    workerId: str
    status: RunStatus
    exitCode: int
    stdout: str  # What was printed and, last, what the handler returned.
    stderr: str
    result: Any  # What the handler returned.
    error: NotRequired[str]  # Of what is no success: a sentence.
    code: NotRequired[RunErrorCode]
    durationMs: int  # Rounded up.
    durationUs: int
    handlerDurationMs: float | None
    peakMemoryBytes: int
    allocatedMemoryMb: int
    cpuUsage: float  # Microseconds.
    coldStart: bool
    networkRx: int
    networkTx: int
    diskRead: int
    diskWrite: int
    outputFiles: list[OutputFile | str]  # Strings: of a reference worker.
    llm_token_count: int
    optimizationTip: str | None
    recommendedMemoryMb: int | None
    estimatedSavings: str | None


class Accepted(TypedDict):
    status: Literal["ACCEPTED"]
    message: str
    jobId: str


class Pending(TypedDict):
    status: Literal["pending"]


class LogRow(TypedDict):
    traceId: NotRequired[str | None]  # Of the W3C trace that the run belongs to.
    id: str
    requestId: str
    timestamp: str  # When it was accepted.
    status: RunStatus
    code: RunErrorCode | None
    duration: int  # Milliseconds, rounded up.
    handlerDurationMs: float | None
    memory: int  # The peak in MB.
    allocatedMemoryMb: int | None
    peakMemoryBytes: int | None
    cpuUsage: int | None
    coldStart: bool | None
    message: str


class Event(TypedDict):
    id: str
    level: Literal["INFO", "WARN", "ERROR"]
    timestamp: str
    msg: str
    functionId: str | None
    requestId: str | None
    duration: int | None
    handlerDurationMs: float | None
    memory: int | None
    status: RunStatus | None
    exitCode: int | None


class LogLine(TypedDict):
    time: str
    level: Literal["debug", "info", "warn", "error"]
    msg: str


class Overview(TypedDict):
    service: Literal["Infra"]
    version: str
    status: Literal["OK", "ERROR"]
    endpoints: dict[str, str]
    authentication: str


class EngineHealth(TypedDict):
    status: Literal["OK", "ERROR"]
    latencyMs: float
    error: NotRequired[str]


class OverloadState(TypedDict):
    pressure: dict[str, float]
    actions: list[str]


class Health(TypedDict):
    status: Literal["OK", "ERROR"]
    version: str
    draining: NotRequired[Literal[True]]  # The program stops.
    configuration: NotRequired[Literal["present", "absent"]]  # The table for what is not a function.
    checks: dict[str, EngineHealth]
    overload: NotRequired[OverloadState]


class Heartbeat(TypedDict):
    workerId: str
    status: NotRequired[str]
    pools: NotRequired[Pools]
    activeJobs: NotRequired[float]
    uptimeSeconds: NotRequired[float]
    timestamp: NotRequired[str | float]


class Noted(TypedDict):
    ok: Literal[True]


class Worker(TypedDict):
    workerId: str
    status: str  # Its own word.
    healthStatus: Literal["healthy"]
    pools: Pools
    activeJobs: int
    uptimeSeconds: float
    lastSeen: int  # Epoch milliseconds.
    lastSeenAgo: str
    receivedAt: str
    takesJobs: NotRequired[bool]  # On one machine alone, where only the program's own does.


class Workers(TypedDict):
    totalWorkers: int
    healthyWorkers: int
    workers: list[Worker]


class SystemStatus(TypedDict):
    status: Literal["online", "offline"]
    worker_count: int
    active_jobs: int
    pools: Pools
    uptime_seconds: int
    timestamp: float  # Epoch seconds.


class Model(TypedDict):
    id: str
    name: str
    size: NotRequired[int]  # Bytes.
    details: dict[str, Any]
    status: str


class Models(TypedDict):
    models: list[Model]
    warning: NotRequired[str]


class Caller(TypedDict):
    key: str  # master, or a named key's id.
    name: str
    scopes: list[Scope]
    functions: list[str] | None  # null: all.


class WantedKey(TypedDict):
    name: str
    scopes: list[Scope]
    functions: NotRequired[list[str] | None]  # Ids; null or absent is all.
    rateLimit: NotRequired[int | None]  # Requests in a window, in place of the address's.
    expiresAt: NotRequired[str | None]


class Key(TypedDict):
    id: str
    name: str
    scopes: list[Scope]
    functions: list[str] | None
    rateLimit: int | None
    expiresAt: str | None
    createdAt: str | None
    lastUsedAt: str | None
    revoked: bool
    secrets: NotRequired[int]
    signs: NotRequired[bool]  # Whether requests can be signed with its newest secret.


class ToldKey(TypedDict):
    id: str
    name: str
    scopes: list[Scope]
    functions: list[str] | None
    rateLimit: int | None
    expiresAt: str | None
    createdAt: str | None
    lastUsedAt: str | None
    revoked: bool
    secrets: NotRequired[int]
    signs: NotRequired[bool]  # Whether requests can be signed with its newest secret.
    key: str  # The whole key, id.secret: what goes into x-api-key.


class Keys(TypedDict):
    keys: list[Key]


class AuditEntry(TypedDict):
    at: str
    key: str
    action: str
    target: str | None
    before: Any  # What it was, without secrets.
    after: Any  # What it is then, without secrets.
    requestId: str
    outcome: str


class Audit(TypedDict):
    entries: list[AuditEntry]


class Client:
    """One Infra and one key; any thread may call. What is no success is an InfraError."""

    def __init__(self, url: str, api_key: str | None = None, timeout: float = 300.0):
        transport = Transport(url, api_key, timeout)
        self._ask, self._pages = transport.ask, transport.pages

    def upload_function(self, body: UploadForm) -> Uploaded:
        """Make a function from a ZIP; with deploy=true, make or replace the one of that name."""
        sent, kind = form(body, {"name"})
        return self._ask("POST", "/upload", {}, {}, body=sent, content_type=kind)

    def list_functions(self, *, limit: int | None = None, cursor: str | None = None) -> list[Function]:
        """All functions, oldest first, a page at a time."""
        return self._ask("GET", "/functions", {"limit": limit, "cursor": cursor}, {})

    def iter_functions(self, *, limit: int | None = None) -> Iterator[Function]:
        """All functions, oldest first, all pages."""
        return self._pages("/functions", {"limit": limit}, {})

    def get_function(self, id: str, *, show_env: bool | None = None) -> Function:
        """A function and its settings."""
        return self._ask("GET", f"/functions/{quote(id, safe='')}", {"showEnv": show_env}, {})

    def update_function(self, id: str, body: FunctionChange | UpdateForm) -> Updated:
        """Change a function's settings or its code; what is not named stays."""
        if "file" in body:
            sent, kind = form(body, {"name"})
        else:
            sent, kind = json.dumps(body).encode(), "application/json"
        return self._ask("PUT", f"/functions/{quote(id, safe='')}", {}, {}, body=sent, content_type=kind)

    def delete_function(self, id: str) -> Deleted:
        """Remove a function; its name is free then."""
        return self._ask("DELETE", f"/functions/{quote(id, safe='')}", {}, {})

    def get_advice(self, id: str) -> Advice:
        """How much memory it should have, and why."""
        return self._ask("GET", f"/functions/{quote(id, safe='')}/advice", {}, {})

    def apply_advice(self, id: str) -> Applied:
        """Give it the memory that the advice recommends; takes no body."""
        return self._ask("PUT", f"/functions/{quote(id, safe='')}/advice", {}, {})

    def get_series(self, id: str, *, from_: str | None = None, to: str | None = None, step: int | None = None) -> Series:
        """Its runs over time, by when they were accepted, for charts."""
        return self._ask("GET", f"/functions/{quote(id, safe='')}/series", {"from": from_, "to": to, "step": step}, {})

    def run_function(self, body: Invocation, *, x_async: bool | None = None, traceparent: str | None = None) -> RunResult | Accepted:
        """Run a function and wait for its result, or with x-async: true get a job to ask for."""
        sent, kind = json.dumps(body).encode(), "application/json"
        return self._ask("POST", "/run", {}, {"x-async": x_async, "traceparent": traceparent}, body=sent, content_type=kind)

    def get_status(self, job_id: str) -> RunResult | Pending:
        """A job's result, or that it is pending; kept for an hour."""
        return self._ask("GET", f"/status/{quote(job_id, safe='')}", {}, {})

    def list_logs(self, id: str,
                  *, limit: int | None = None, start_time: str | None = None, cursor: str | None = None, trace_id: str | None = None) -> list[LogRow]:
        """A function's finished runs, newest first, a page at a time."""
        return self._ask("GET", f"/functions/{quote(id, safe='')}/logs", {"limit": limit, "startTime": start_time, "cursor": cursor, "traceId": trace_id}, {})

    def iter_logs(self, id: str, *, limit: int | None = None, start_time: str | None = None, trace_id: str | None = None) -> Iterator[LogRow]:
        """A function's finished runs, newest first, all pages."""
        return self._pages(f"/functions/{quote(id, safe='')}/logs", {"limit": limit, "startTime": start_time, "traceId": trace_id}, {})

    def get_log(self, id: str, request_id: str) -> LogRow:
        """One run, with its whole message."""
        return self._ask("GET", f"/functions/{quote(id, safe='')}/logs/{quote(request_id, safe='')}", {}, {})

    def get_output_file(self, id: str, request_id: str, name: str) -> bytes:
        """A file that a run left in /output, as a download."""
        return self._ask("GET", f"/functions/{quote(id, safe='')}/logs/{quote(request_id, safe='')}/files/{quote(name, safe='')}", {}, {})

    def get_overview(self) -> Overview:
        """The service's name, state and routes."""
        return self._ask("GET", "/", {}, {})

    def get_health(self) -> Health:
        """Whether requests should come here."""
        return self._ask("GET", "/health", {}, {})

    def get_metrics(self) -> str:
        """Metrics for Prometheus; METRICS_PUBLIC=true opens them."""
        return self._ask("GET", "/metrics", {}, {})

    def get_openapi(self, *, if_none_match: str | None = None) -> dict[str, Any]:
        """This document."""
        return self._ask("GET", "/openapi.json", {}, {"if-none-match": if_none_match})

    def list_events(self, *, format: Literal["native"] | None = None) -> list[Event | LogLine]:
        """The last 100 things that happened, newest first."""
        return self._ask("GET", "/logs", {"format": format}, {})

    def send_heartbeat(self, body: Heartbeat) -> Noted:
        """A worker says that it lives."""
        sent, kind = json.dumps(body).encode(), "application/json"
        return self._ask("POST", "/worker/heartbeat", {}, {}, body=sent, content_type=kind)

    def list_workers(self) -> Workers:
        """The workers that live."""
        return self._ask("GET", "/workers", {}, {})

    def list_workers_again(self) -> Workers:
        """The same as GET /workers, by the reference platform's name."""
        return self._ask("GET", "/worker/status", {}, {})

    def get_system_status(self) -> SystemStatus:
        """All workers together."""
        return self._ask("GET", "/system/status", {}, {})

    def list_models(self) -> Models:
        """The AI node's models, or a fallback and a warning."""
        return self._ask("GET", "/models", {}, {})

    def get_whoami(self) -> Caller:
        """Whose key the request has, and what it may do."""
        return self._ask("GET", "/whoami", {}, {})

    def list_keys(self) -> Keys:
        """The named keys, without their secrets."""
        return self._ask("GET", "/keys", {}, {})

    def create_key(self, body: WantedKey) -> ToldKey:
        """Make a named key."""
        sent, kind = json.dumps(body).encode(), "application/json"
        return self._ask("POST", "/keys", {}, {}, body=sent, content_type=kind)

    def rotate_key(self, id: str) -> ToldKey:
        """Give a key a second secret; both hold."""
        return self._ask("POST", f"/keys/{quote(id, safe='')}/rotate", {}, {})

    def drop_old_secret(self, id: str) -> Key:
        """Drop the older of a key's two secrets."""
        return self._ask("DELETE", f"/keys/{quote(id, safe='')}/secrets/old", {}, {})

    def revoke_key(self, id: str) -> Deleted:
        """Revoke a key, everywhere within five seconds."""
        return self._ask("DELETE", f"/keys/{quote(id, safe='')}", {}, {})

    def list_audit(self, *, limit: int | None = None, cursor: str | None = None) -> Audit:
        """Changes and refused uses of keys in 90 days, newest first, a page at a time."""
        return self._ask("GET", "/audit", {"limit": limit, "cursor": cursor}, {})
