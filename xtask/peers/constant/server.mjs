// This file's job is to answer every request with the body in a file: the least that a server in Node costs.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [port, file, contentType] = process.argv.slice(2);
const body = readFileSync(file);
createServer((_request, response) => {
  response.writeHead(200, { 'content-type': contentType, 'content-length': body.length, 'cache-control': 'private, no-cache' });
  response.end(body);
}).listen(Number(port), '127.0.0.1');
