// Imported by runner.js before its first call, so that the first import of an ES module is behind it, and that of a CommonJS module by one.
import './warm_up.js';

export const handler = async () => null;
