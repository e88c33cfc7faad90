// A function that tries to get out of its sandbox as breakout/main.py does: the same tries by the same names, with Node.js's own
// means and the programs of the system. What Node.js has no means for (system calls by number) main.py tries as its child, under
// Node.js's own filter.
'use strict';

const fs = require('fs');
const net = require('net');
const dgram = require('dgram');
const dns = require('dns').promises;
const os = require('os');
const path = require('path');
const { spawn, spawnSync } = require('child_process');
const { Worker } = require('worker_threads');

const MARKER = new RegExp('CAN' + 'ARY-[0-9a-f]{32}');

function words(error) {
  return `refused: ${error.code ?? error.message}`;
}

// What came of an action that must fail.
function refused(action) {
  try {
    return `ESCAPED: it gave ${String(action()).slice(0, 100)}`;
  } catch (error) {
    return words(error);
  }
}

const contained = (good, what) => `${good ? 'contained' : 'ESCAPED'}: ${what}`;

function withPython(name, event) {
  const child = spawnSync('/usr/bin/python3', ['-B', '/workspace/main.py', name, JSON.stringify(event)],
    { encoding: 'utf8', maxBuffer: 1 << 24 });
  if (child.status !== 0) throw new Error(`main.py ended with ${child.status ?? child.signal ?? child.error}: ${child.stderr}`);
  return JSON.parse(child.stdout);
}

// A program of the system must say no: it fails, or is not there.
function program(command, ...rest) {
  const child = spawnSync(command, rest, { encoding: 'utf8', timeout: 5000 });
  if (child.error) return words(child.error);
  return child.status === 0 ? `ESCAPED: ${command} succeeded` : `refused: ${child.stderr.split('\n')[0]}`;
}

function readSome(file) {
  const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(1 << 18);
    return bytes.toString('latin1', 0, fs.readSync(fd, bytes, 0, bytes.length, null));
  } finally {
    fs.closeSync(fd);
  }
}

const statusOf = (pid) => Object.fromEntries(
  readSome(`/proc/${pid}/status`).split('\n').filter((line) => line.includes(':\t')).map((line) => line.split(':\t')));

function isPowerless(status) {
  return [status.Uid, status.Gid].every((ids) => ids.split('\t').every((id) => id === '1000')) && status.NoNewPrivs === '1' &&
    status.Seccomp === '2' &&
    ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].every((set) => /^0+$/.test(status[set]));
}

function walk(top, visit) {
  let entries = [];
  try {
    entries = fs.readdirSync(top, { withFileTypes: true });
  } catch {
    return;
  }
  for (const entry of entries) {
    const file = path.join(top, entry.name);
    if (entry.isDirectory() && !/^\/usr$|^\/proc\/(\d+\/task|self|thread-self)$/.test(file)) walk(file, visit);
    if (entry.isFile()) visit(file);
  }
}

const attempt = (start) => new Promise((resolve) => {
  const late = setTimeout(() => resolve('refused: no answer'), 500);
  start((came) => {
    clearTimeout(late);
    resolve(came);
  });
});

const tcp = (options) => attempt((done) => {
  const socket = net.connect(options, () => done('ESCAPED: a connection'));
  socket.on('error', (error) => done(words(error)));
});

const udp = (host, port) => attempt((done) => {
  const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4').unref();
  socket.on('error', (error) => done(words(error)));
  socket.on('message', () => done('ESCAPED: an answer'));
  socket.send('knock', port, host, (error) => error && done(words(error)));
});

const TRIES = {
  read_files: ({ paths }) => Object.fromEntries(paths.map((file) => [file, refused(() => readSome(file))])),

  write_files({ paths }) {
    const found = {};
    for (const file of paths) {
      for (const flags of ['r+', 'a', 'w']) {
        if (!(found[file] ?? 'refused').startsWith('refused')) continue;
        found[file] = refused(() => fs.closeSync(fs.openSync(file, flags)));
      }
    }
    return found;
  },

  async connect({ addresses }) {
    const found = {};
    await Promise.all(addresses.map(async ([host, port]) => {
      found[`TCP ${host} ${port}`] = await tcp({ host, port });
      found[`UDP ${host} ${port}`] = await udp(host, port);
    }));
    found['fetch of the metadata'] = await fetch('http://169.254.169.254/latest/meta-data/')
      .then(() => 'ESCAPED: an answer', (error) => words(error.cause));
    return found;
  },

  async unix_sockets({ names }) {
    const found = {};
    for (const name of names) found[JSON.stringify(name)] = await tcp({ path: name });
    return found;
  },

  async resolve({ names }) {
    const found = {};
    for (const name of names) {
      found[`lookup ${name}`] = await dns.lookup(name).then(() => 'ESCAPED: an address', words);
      const own = new dns.Resolver({ timeout: 200, tries: 1 });
      own.setServers(['1.1.1.1', '169.254.169.253']);
      found[`query ${name}`] = await own.resolve4(name).then(() => 'ESCAPED: an address', words);
    }
    return found;
  },

  kill({ pids }) {
    const found = {};
    for (const pid of pids) {
      found[`process ${pid}`] = refused(() => process.kill(pid, 'SIGKILL'));
      found[`group ${pid}`] = refused(() => process.kill(-pid, 'SIGKILL'));
    }
    for (const signal of ['SIGKILL', 'SIGSTOP', 'SIGTERM', 'SIGSEGV']) refused(() => process.kill(1, signal)); // or it does nothing
    found.init = contained(spawnSync('/bin/true').status === 0, 'init takes no signal from inside');
    return found;
  },

  markers() {
    let files = 0;
    const found = [];
    fs.writeFileSync('/tmp/control', `CAN${'ARY-'}${'0'.repeat(32)}`); // which the search must find, to be one
    walk('/', (file) => {
      if (/^\/dev\/|\/(fd|kmsg|kpageflags|clear_refs)(\/|$)/.test(file)) return;
      try {
        files += 1;
        if (MARKER.test(readSome(file))) found.push(file);
      } catch { /* refused */ }
    });
    return { files: contained(files > 50 && found.join() === '/tmp/control', `${files} files, markers in ${found}`) };
  },

  change_tree() {
    const tries = {
      mkdir: () => fs.mkdirSync('/x'), chmod: () => fs.chmodSync('/usr/bin/env', 0o7777), chown: () => fs.chownSync('/etc/passwd', 1000, 1000),
      unlink: () => fs.unlinkSync('/etc/passwd'), rename: () => fs.renameSync('/etc', '/tmp/etc'), rmdir: () => fs.rmdirSync('/workspace'),
      utime: () => fs.utimesSync('/etc/hosts', 0, 0), truncate: () => fs.truncateSync('/etc/hosts'), symlink: () => fs.symlinkSync('/x', '/usr/x'),
      link: () => fs.linkSync('/etc/hosts', '/etc/hosts2'), rm: () => fs.rmSync('/usr/bin/env'), copy: () => fs.copyFileSync('/etc/hosts', '/usr/bin/hosts'),
    };
    return Object.fromEntries(Object.entries(tries).map(([what, action]) => [what, refused(action)]));
  },

  links(event) {
    const found = {};
    for (const [number, file] of event.paths.entries()) {
      const link = `/output/node-${number}`;
      fs.rmSync(link, { force: true });
      fs.symlinkSync(file, link);
      found[`symbolic ${file}`] = refused(() => readSome(link));
      found[`hard ${file}`] = refused(() => fs.linkSync(file, `/output/hard-${number}`));
    }
    return { ...found, ...withPython('links', event) };
  },

  // Node.js's own ways to more rights, and the system's programs for what has no call in it.
  rights(event) {
    const found = {
      'at first': contained(isPowerless(statusOf('self')), 'no capability, no way to new privileges, filtered'),
      setuid: refused(() => process.setuid(0)), seteuid: refused(() => process.seteuid(0)), setgid: refused(() => process.setgid(0)),
      setgroups: refused(() => process.setgroups([0])), initgroups: refused(() => process.initgroups('root', 0)),
      mount: program('/usr/bin/mount', '-t', 'tmpfs', 'none', '/tmp'), umount: program('/usr/bin/umount', '/usr/local'),
      unshare: program('/usr/bin/unshare', '-Ur', '/bin/true'), nsenter: program('/usr/bin/nsenter', '-t', '1', '-m', '/bin/true'),
      chroot: program('/usr/sbin/chroot', '/tmp', '/bin/true'), mknod: program('/usr/bin/mknod', '/tmp/disk', 'b', '8', '0'),
      date: program('/usr/bin/date', '-s', '2001-01-01'), hostname: program('/usr/bin/hostname', 'other'),
      sysctl: program('/usr/sbin/sysctl', '-w', 'kernel.hostname=x'),
      ip: program('/usr/sbin/ip', 'link', 'set', 'lo', 'down'), insmod: program('/usr/sbin/modprobe', 'dummy'),
      swapon: program('/usr/sbin/swapon', '/tmp/x'),
      reboot: program('/usr/sbin/reboot', '-f'), strace: program('/usr/bin/strace', '-p', '1'),
      gdb: program('/usr/bin/gdb', '-batch-silent', '-p', '1', '-return-child-result'),
      'a native library': refused(() => process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6')),
    };
    return { ...found, ...withPython('rights', event), 'in the end': contained(isPowerless(statusOf('self')), 'still no rights') };
  },

  // A debugger's port is this network's alone; internals that were taken from the runner lead no further than the process.
  async inspector() {
    const inspector = require('inspector');
    inspector.open(9229, '0.0.0.0');
    const url = inspector.url();
    inspector.close();
    const worker = new Worker(`require('worker_threads').parentPort.postMessage(
      require('fs').readFileSync('/proc/self/status', 'utf8'))`, { eval: true });
    const status = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    return {
      inspector: contained(url !== undefined, 'its port is in this sandbox alone'),
      'a worker thread': contained(/Seccomp:\t2/.test(status) && /CapEff:\t0+\n/.test(status), 'has the same filter and no rights'),
      'fs.watch': refused(() => fs.watch('/usr/bin').close()),
      'process.binding': refused(() => process.binding('process_methods').setuid?.(0) ?? process.binding('fs').open('/etc/shadow', 0, 0)),
      'another debugger': contained(refused(() => process._debugProcess(1)) !== '' && fs.existsSync('/proc/1'), 'init takes no signal'),
    };
  },

  priorities: (event) => ({
    nice: refused(() => os.setPriority(0, -5)), "init's": refused(() => os.setPriority(1, 19)),
    oom: refused(() => fs.writeFileSync('/proc/self/oom_score_adj', '-1000')), ...withPython('priorities', event),
  }),

  descriptors() {
    const kinds = fs.readdirSync('/proc/self/fd').map((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`).replace(/[:\d[\]]/g, '');
      } catch {
        return null; // the listing itself
      }
    }).filter((kind) => kind !== null);
    const good = kinds.every((kind) => /^(\/dev\/null|pipe|socket|anon_inodeevent(fd|poll)|anon_inodeio_uring|\/proc\/\/fd)$/.test(kind));
    return { descriptors: contained(good && kinds.filter((kind) => kind === 'socket').length <= 1, kinds.sort().join()) };
  },

  async network_of_its_own({ port, ai_ports: aiPorts }) {
    const own = Number(new URL(process.env.AI_ENDPOINT).port);
    const interfaces = refused(() => Object.keys(os.networkInterfaces()));
    const found = { interfaces: interfaces.startsWith('refused') ? interfaces : contained(interfaces.endsWith(' lo'), 'lo alone') };
    const server = net.createServer();
    await new Promise((resolve, reject) => server.on('error', reject).listen(port === own ? 0 : port, '0.0.0.0', resolve));
    server.close();
    found["the controller's port"] = contained(true, 'bound in this network alone');
    for (const other of aiPorts) if (other !== own) found[`another's AI endpoint ${other}`] = await tcp({ host: '127.0.0.1', port: other });
    return found;
  },
};

exports.handler = async (event) => {
  if (!isPowerless(statusOf('self'))) throw new Error('ESCAPED: this is no sandbox'); // what follows would take the machine down
  const bombs = require('./bombs.js');
  if (Object.hasOwn(bombs, event.try)) return bombs[event.try](event);
  return Object.hasOwn(TRIES, event.try) ? TRIES[event.try](event) : withPython(event.try, event);
};
