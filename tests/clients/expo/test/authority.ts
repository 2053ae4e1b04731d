// This file's job is to be an organization that gives its teams certificates for signing code, instead of one key in every app.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generateCSR, generateDevelopmentCertificateFromCSR, generateKeyPair } from '@expo/code-signing-certificates';
import forge from 'node-forge';

interface Authority {
  readonly certificate: forge.pki.Certificate;
  readonly key: forge.pki.rsa.PrivateKey;
}

/** What is in the app, and the files with which a team signs. */
export interface Team {
  readonly root: string;
  readonly keyPath: string;
  readonly chainPath: string;
}

/** Makes a root, an authority below it, and a team that signs for a while; Expo's own code makes the team's certificate. */
export async function makeTeam(folder: string): Promise<Team> {
  const root = makeAuthority('root');
  const between = makeAuthority('between', root);
  const keys = generateKeyPair();
  const leaf = generateDevelopmentCertificateFromCSR(between.key, between.certificate, generateCSR(keys, 'team'), 'app', 'scope');
  const [keyPath, chainPath] = [path.join(folder, 'team-key.pem'), path.join(folder, 'team-chain.pem')];
  await writeFile(keyPath, forge.pki.privateKeyToPem(keys.privateKey));
  await writeFile(chainPath, [leaf, between.certificate].map((each) => forge.pki.certificateToPem(each)).join(''));
  return { root: forge.pki.certificateToPem(root.certificate), keyPath, chainPath };
}

function makeAuthority(name: string, above?: Authority): Authority {
  const { publicKey, privateKey } = forge.pki.rsa.generateKeyPair(2048);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = '01';
  certificate.validity.notAfter.setFullYear(certificate.validity.notBefore.getFullYear() + 1);
  const subject = [{ name: 'commonName', value: name }];
  certificate.setSubject(subject);
  certificate.setIssuer(above?.certificate.subject.attributes ?? subject);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: true },
    { name: 'keyUsage', critical: true, keyCertSign: true, digitalSignature: true },
    { name: 'extKeyUsage', critical: true, codeSigning: true },
  ]);
  certificate.sign(above?.key ?? privateKey, forge.md.sha256.create());
  return { certificate, key: privateKey };
}
