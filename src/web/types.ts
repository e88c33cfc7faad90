// What the API's answers hold, as far as the pages read them (docs/http-api.md).

export type Runtime = "python" | "nodejs" | "cpp" | "go";
export type RunStatus = "SUCCESS" | "FAILED" | "TIMEOUT" | "ERROR";

export interface FunctionRow {
  functionId: string;
  name: string;
  description: string;
  runtime: Runtime;
  memoryMb: number;
  timeoutMs?: number;
  network: "none" | "egress";
  keepWarm: number;
  maxConcurrency: number | null;
  invocations: number;
  avgDuration: number;
  avgHandlerDuration: number | null;
  uploadedAt: string;
  updatedAt: string;
  quarantinedUntil?: string;
  envVars?: Record<string, string | null>; // values: null, unless they were asked for
}

export interface OutputFile {
  name: string;
  size: number;
}

export interface RunResult {
  requestId: string;
  status: RunStatus | "pending";
  error?: string;
  code?: string;
  exitCode: number;
  stdout: string;
  stderr: string;
  result: unknown;
  durationMs: number;
  durationUs: number;
  handlerDurationMs: number | null;
  peakMemoryBytes: number | null;
  allocatedMemoryMb: number | null;
  coldStart: boolean;
  outputFiles: OutputFile[];
  optimizationTip: string | null;
  traceId?: string;
}

export interface LogRow {
  requestId: string;
  timestamp: string;
  status: RunStatus;
  code: string | null;
  duration: number;
  handlerDurationMs: number | null;
  peakMemoryBytes: number | null;
  allocatedMemoryMb: number | null;
  coldStart: boolean | null;
  message: string;
  traceId?: string;
}

export interface Advice {
  runs: number;
  verdict: "unknown" | "raise" | "lower" | "keep";
  confidence: string;
  recommendedMemoryMb: number | null;
  optimizationTip: string;
  apply: { memoryMb: number } | null;
}

export interface WorkerRow {
  workerId: string;
  status: string;
  healthStatus: string;
  pools: Record<string, number>;
  activeJobs: number;
  uptimeSeconds: number;
  lastSeenAgo: string;
  takesJobs?: boolean;
}

export interface PlatformEvent {
  id: string;
  level: "INFO" | "WARN" | "ERROR";
  timestamp: string;
  msg: string;
  functionId: string | null;
  requestId: string | null;
  duration: number | null;
  status?: RunStatus | null; // of a run that has finished
}
