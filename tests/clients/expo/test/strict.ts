// This file's job is to read answers as strictly as the clients do: what one of them would stumble over is an error here.
import { createHash, verify, X509Certificate } from 'node:crypto';
import { parseMultipartMixedResponseAsync } from '@expo/multipart-body-parser';
import { parseDictionary } from 'structured-headers';

/** A part with its bytes as they were sent. */
export interface Part {
  readonly name: string;
  readonly headers: Map<string, string>;
  readonly body: Buffer;
}

export interface Asset {
  readonly hash: string;
  readonly key: string;
  readonly contentType: string;
  readonly fileExtension: string;
  readonly url: string;
}

export interface Manifest {
  readonly id: string;
  readonly createdAt: string;
  readonly runtimeVersion: string;
  readonly launchAsset: Asset;
  readonly assets: Asset[];
  readonly metadata: Record<string, string>;
  readonly extra: Record<string, unknown>;
}

export interface Directive {
  readonly type: 'noUpdateAvailable' | 'rollBackToEmbedded';
  readonly parameters?: { readonly commitTime: string };
}

function insist(fits: boolean, rule: string): asserts fits {
  if (!fits) {
    throw new Error(`a client would refuse this: ${rule}`);
  }
}

/** The reader on iOS: two bytes end a line, also behind the last delimiter; it looks for headers in lower case. */
export async function readMultipart(contentType: string, body: Buffer): Promise<Part[]> {
  if (body.length === 0) {
    return [];
  }
  const boundary = /^multipart\/mixed; boundary=([0-9A-Za-z'()+_,\-./:=?]{1,70})$/.exec(contentType)?.[1];
  insist(boundary !== undefined, `content type ${contentType}`);
  insist(body.indexOf(`--${boundary}\r\n`) === 0, 'the body begins with a delimiter');
  const end = `\r\n--${boundary}--\r\n`;
  insist(body.indexOf(end) === body.length - end.length, 'the last delimiter and a line end are the end');
  const parts: Part[] = [];
  let at = boundary.length + 4;
  for (;;) {
    const headEnd = body.indexOf('\r\n\r\n', at);
    insist(headEnd > 0, 'headers end with an empty line');
    const headers = new Map<string, string>();
    for (const line of body.subarray(at, headEnd).toString('latin1').split('\r\n')) {
      const [name, value] = [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()];
      insist(name === name.toLowerCase() && !headers.has(name) && !line.includes('\n'), `header ${line}`);
      headers.set(name, value);
    }
    const next = body.indexOf(`\r\n--${boundary}`, headEnd + 4);
    const name = /^inline; name="([a-z_]+)"$/.exec(headers.get('content-disposition') ?? '')?.[1];
    insist(name !== undefined, 'a part has a name');
    insist(headers.has('content-type'), 'a part has a content type');
    parts.push({ name, headers, body: body.subarray(headEnd + 4, next) });
    at = next + boundary.length + 4;
    if (body.subarray(at, at + 2).toString() === '--') {
      break;
    }
    insist(body.subarray(at, at + 2).toString() === '\r\n', 'a delimiter ends its line');
    at += 2;
  }
  // The parser of Expo's tools reads the same.
  const theirs = await parseMultipartMixedResponseAsync(contentType, body);
  insist(theirs.length === parts.length, 'both parsers find the same parts');
  theirs.forEach((part, index) => {
    const ours = parts[index];
    insist(ours !== undefined && part.name === ours.name && part.body === ours.body.toString('utf8'), `part ${part.name}`);
  });
  return parts;
}

/** Checks a date as Android reads it: anything but three digits and a capital Z is taken for another time. */
export function readDate(text: string): number {
  insist(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text), `date ${text}`);
  return Date.parse(text);
}

/** Checks everything that either platform demands of a manifest. */
export function readManifest(body: Buffer): Manifest {
  const manifest = JSON.parse(body.toString('utf8')) as Manifest;
  insist(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(manifest.id), `id ${manifest.id}`);
  readDate(manifest.createdAt);
  insist(typeof manifest.runtimeVersion === 'string', 'runtimeVersion is a text');
  insist(Object.values(manifest.metadata).every((value) => typeof value === 'string'), 'metadata has texts');
  insist(typeof manifest.extra === 'object' && manifest.extra !== null, 'extra is an object');
  insist(manifest.launchAsset.contentType === 'application/javascript', 'the launch file is JavaScript to clients');
  for (const asset of [manifest.launchAsset, ...manifest.assets]) {
    insist(/^[0-9A-Za-z_-]{43}$/.test(asset.hash), `hash ${asset.hash}`);
    insist(/^[0-9a-f]{32}$/.test(asset.key), `key ${asset.key}`);
    insist(/^\.[0-9a-z]+$/.test(asset.fileExtension), `fileExtension ${asset.fileExtension}`);
    insist(asset.contentType.includes('/') && new URL(asset.url).protocol.startsWith('http'), `url ${asset.url}`);
  }
  const keys = manifest.assets.map((asset) => asset.key);
  insist(new Set(keys).size === keys.length, 'each asset is there once');
  return manifest;
}

/** Reads a dictionary of texts; null when the client would ignore the header. */
export function readDictionary(header: string): Map<string, string> {
  const dictionary = new Map<string, string>();
  for (const [key, [value]] of parseDictionary(header)) {
    insist(typeof value === 'string', `${key} is a quoted text`);
    dictionary.set(key, value);
  }
  return dictionary;
}

/** Reads headers that the server defined: plain values only, which become texts. */
export function readHeaders(header: string): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [key, [value, parameters]] of parseDictionary(header)) {
    insist(['string', 'number', 'boolean'].includes(typeof value) && parameters.size === 0, `${key} is a plain value`);
    headers.set(key, String(value));
  }
  return headers;
}

/** Reads the part with headers for the requests for files. */
export function readExtensions(part: Part): Record<string, Record<string, string>> {
  insist(part.headers.get('content-type') === 'application/json', 'extensions are JSON');
  const { assetRequestHeaders } = JSON.parse(part.body.toString('utf8')) as {
    assetRequestHeaders: Record<string, Record<string, string>>;
  };
  const values = Object.values(assetRequestHeaders).flatMap((headers) => Object.values(headers));
  insist(values.every((value) => typeof value === 'string'), 'headers are texts');
  return assetRequestHeaders;
}

/** A manifest must pass the filter that comes with it. */
export function passes(manifest: Manifest, filter: Map<string, string>): boolean {
  const metadata = new Map(Object.entries(manifest.metadata).map(([key, value]) => [key.toLowerCase(), value]));
  return [...filter].every(([key, value]) => !metadata.has(key) || metadata.get(key) === value);
}

/** Verifies a signature as both platforms do. */
export function checkSignature(header: string | undefined, body: Buffer, certificate: string): void {
  insist(header !== undefined, 'No expo-signature header specified');
  const signature = readDictionary(header);
  insist(signature.get('keyid') === 'main' && signature.get('alg') === 'rsa-v1_5-sha256', header);
  const key = new X509Certificate(certificate).publicKey;
  const fits = verify('RSA-SHA256', body, key, Buffer.from(signature.get('sig') ?? '', 'base64'));
  insist(fits, 'the signature is the one of the body');
}

const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';

/** Follows certificates, leaf first, to the one in the app, as both platforms do; returns the leaf. */
export function checkChain(text: string, root: string): string {
  const leaf = text.split(/(?<=-----END CERTIFICATE-----\r?\n)/u);
  const chain = [...leaf, root].map((pem) => new X509Certificate(pem));
  chain.forEach((certificate, index) => {
    const issuer = chain[index + 1] ?? certificate;
    insist(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey), 'each certificate is signed by the next');
    insist(issuer.ca, 'whoever issues may do so');
    const [from, until, now] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo), Date.now()];
    insist(from <= now && now <= until, 'each certificate is valid now');
  });
  insist(chain[0]?.keyUsage.includes(CODE_SIGNING) === true && !chain[0].ca, 'the first one is for signing code');
  return leaf[0] ?? '';
}

/** SHA-256 as manifests write it. */
export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url');
}
