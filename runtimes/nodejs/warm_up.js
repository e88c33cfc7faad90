// Loaded by runner.js before its first call, so that the first load of a CommonJS module is behind it.
'use strict';

exports.handler = async () => null;
