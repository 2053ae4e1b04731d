// This file's job is to generate the client's code from the contract, into a folder that git ignores.
//
// usage: node tools/generate.mjs
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const dashboard = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const programs = path.join(dashboard, 'node_modules', '.bin');
const environment = { ...process.env, PATH: `${programs}${path.delimiter}${process.env.PATH ?? ''}` };

fs.rmSync(path.join(dashboard, 'src', 'gen'), { recursive: true, force: true });
for (const folder of ['../proto', 'proto']) {
  execFileSync(path.join(programs, 'buf'), ['generate', folder, '--template', 'buf.gen.yaml'], {
    cwd: dashboard,
    env: environment,
    stdio: 'inherit',
  });
}
