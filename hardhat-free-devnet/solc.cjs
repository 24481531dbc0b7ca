// solc-js behind native solc's command line, as far as Forge and py-solc-x use it:
//
//   solc --version
//   solc --standard-json [--base-path P] [--include-path P]... [--allow-paths P,P...] < input > output
//
// The package's own command prints an extra line before the JSON, rejects --allow-paths, and prints a bare
// version, so this calls the compiler directly. Files outside the allowed folders are not read.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

function usage(message) {
  process.stderr.write(`solc: ${message}\n`);
  process.exit(2);
}

function parse(argv) {
  const options = { version: false, standardJson: false, basePath: '', includePaths: [], allowPaths: [] };
  const valued = {
    '--base-path': (value) => { options.basePath = value; },
    '--include-path': (value) => options.includePaths.push(value),
    '--allow-paths': (value) => options.allowPaths.push(...value.split(',').filter(Boolean)),
  };
  for (let i = 0; i < argv.length; i += 1) {
    const [name, inline] = argv[i].startsWith('--') && argv[i].includes('=')
      ? [argv[i].slice(0, argv[i].indexOf('=')), argv[i].slice(argv[i].indexOf('=') + 1)]
      : [argv[i], undefined];
    if (name === '--version') options.version = true;
    else if (name === '--standard-json') options.standardJson = true;
    else if (name in valued) {
      if (inline === undefined && i + 1 >= argv.length) usage(`${name} needs a value`);
      valued[name](inline === undefined ? argv[(i += 1)] : inline);
    } else if (name !== '-') usage(`unsupported option ${name}`);
  }
  return options;
}

function reader(options) {
  const roots = [options.basePath, ...options.includePaths].map((root) => path.resolve(root || '.'));
  const allowed = [...roots, ...options.allowPaths.map((root) => path.resolve(root))];
  const inside = (file, root) => file === root || file.startsWith(root.endsWith(path.sep) ? root : root + path.sep);
  return (unit) => {
    for (const root of roots) {
      const file = path.resolve(root, unit);
      if (allowed.some((folder) => inside(file, folder)) && fs.existsSync(file)) {
        return { contents: fs.readFileSync(file, 'utf8') };
      }
    }
    return { error: `${unit} is in none of: ${allowed.join(', ')}` };
  };
}

const options = parse(process.argv.slice(2));
const solc = require('solc');
if (options.version) {
  process.stdout.write(`solc, the solidity compiler commandline interface (solc-js)\nVersion: ${solc.version()}\n`);
} else if (options.standardJson) {
  const output = solc.compile(fs.readFileSync(0, 'utf8'), { import: reader(options) });
  process.stdout.write(`${output}\n`);
} else {
  usage('give --version or --standard-json');
}
