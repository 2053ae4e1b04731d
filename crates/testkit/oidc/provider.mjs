// This file's job is to be an OpenID Connect provider for tests: npm's oidc-provider, with anybody's password accepted.
//
// usage: node --input-type=module --eval SCRIPT REDIRECT_URI; prints the issuer.
import http from 'node:http';
import { Provider } from 'oidc-provider';

const [redirectUri] = process.argv.slice(1);
const server = http.createServer().listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'aloft', client_secret: 'client secret: +/', redirect_uris: [redirectUri] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    pkce: { required: () => true },
    // The login's name is the address; one that begins with "un" is not verified.
    findAccount: (context, id) => ({
      accountId: id,
      claims: () => ({ sub: `subject of ${id}`, email: id, email_verified: !id.startsWith('un'), name: 'Pat Person' }),
    }),
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
