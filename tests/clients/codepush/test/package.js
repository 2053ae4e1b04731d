// This file's job is to do with a package what the clients' native code does: download, unpack, apply a difference, verify.
import { createHash, createVerify } from 'node:crypto';
import { unzipSync } from 'fflate';

const DIFF_MANIFEST = 'hotcodepush.json';
const SIGNATURE = 'CodePush/.codepushrelease';
const BUNDLE = '/index.android.bundle';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** The hash of a package's folder, as clients compute it. */
export function packageHash(files) {
  const counts = (name) => !name.startsWith('__MACOSX/') && !/(^|\/)(\.DS_Store|\.codepushrelease)$/.test(name);
  const entries = Object.keys(files).filter(counts).map((name) => `${name}:${sha256(files[name])}`);
  return sha256(JSON.stringify(entries.sort()));
}

/** Gets a package: its files, and whether they came as a `diff` from `installed` or in `full`. */
export async function download({ downloadUrl, packageSize, packageHash: hash }, installed, publicKey) {
  const response = await fetch(downloadUrl, { headers: { 'Accept-Encoding': 'identity' } });
  const length = response.headers.get('content-length');
  const zip = new Uint8Array(await response.arrayBuffer());
  if (response.status !== 200 || zip.length !== packageSize || `${zip.length}` !== length) {
    throw new Error(`${response.status}: received ${zip.length} bytes, expected ${length} and ${packageSize}`);
  }
  let files = unzipSync(zip);
  const manifest = files[DIFF_MANIFEST];
  if (manifest) {
    delete files[DIFF_MANIFEST];
    const base = { ...installed };
    JSON.parse(new TextDecoder().decode(manifest)).deletedFiles.forEach((name) => delete base[name]);
    files = { ...base, ...files };
  }
  if (!Object.keys(files).some((name) => name.endsWith(BUNDLE))) {
    throw new Error('Update is invalid - the bundle is not there.');
  }
  if (packageHash(files) !== hash) {
    throw new Error('The update contents failed the data integrity check.');
  }
  if (publicKey) {
    verifySignature(files, hash, publicKey);
  }
  return { files, how: manifest ? 'diff' : 'full' };
}

/** What clients with a public key check besides the hash. */
function verifySignature(files, hash, publicKey) {
  if (!files[SIGNATURE]) {
    throw new Error('The update is not signed.');
  }
  const [header, claims, signature] = new TextDecoder().decode(files[SIGNATURE]).split('.');
  const read = (part) => JSON.parse(Buffer.from(part, 'base64url'));
  const verifier = createVerify('RSA-SHA256').update(`${header}.${claims}`);
  const isOwners = read(header).alg === 'RS256' && verifier.verify(publicKey, Buffer.from(signature, 'base64url'));
  const { claimVersion, contentHash } = read(claims);
  if (!isOwners || claimVersion !== '1.0.0' || contentHash !== hash) {
    throw new Error('The update contents are not signed by the key owner.');
  }
}
