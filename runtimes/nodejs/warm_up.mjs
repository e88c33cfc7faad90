// Imported by runner.js before its first call, so that the first import of an ES module is behind it.
export const handler = async () => null;
