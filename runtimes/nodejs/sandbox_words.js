// What a sandbox has no kernel's help for, said in words that help.
'use strict';

const fs = require('fs');
const os = require('os');
const { syncBuiltinESMExports } = require('module');

const { networkInterfaces } = os;
const LOOPBACK = { mac: '00:00:00:00:00:00', internal: true };
os.networkInterfaces = function networkInterfacesOrLoopback() {
  try {
    return networkInterfaces();
  } catch { // the kernel is asked over a kind of socket that is closed to functions; the loopback is what there always is
    return { lo: [{ address: '127.0.0.1', netmask: '255.0.0.0', family: 'IPv4', ...LOOPBACK, cidr: '127.0.0.1/8' },
      { address: '::1', netmask: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', family: 'IPv6', ...LOOPBACK, cidr: '::1/128', scopeid: 0 }] };
  }
};

const { watch } = fs;
fs.watch = function watchOrSay(...options) {
  try {
    return watch(...options);
  } catch (error) {
    if (error.syscall === 'watch') error.message += ". A function can't be told of changes to files; fs.watchFile() looks for them.";
    throw error;
  }
};
syncBuiltinESMExports();
