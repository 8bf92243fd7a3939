// An authorization server of another make, on PORT or a free one of loopback: oidc-provider with two confidential
// clients. Its access tokens have the FORMAT, and its caller authenticates by CALLER_JWKS where that is given.
// With NEXT_RESOURCE the caller may exchange tokens for that API. Prints its issuer once it listens, and ends with its
// standard input.
import { createServer } from 'node:http'
import Provider from 'oidc-provider'
import { addTokenExchange, EXCHANGE_GRANTS } from './token_exchange.js'

const { CLIENT_ID, CLIENT_SECRET, CALLER_ID, CALLER_SECRET, CALLER_JWKS, SCOPE, RESOURCE } = process.env
const { PORT = '0', FORMAT = 'opaque' } = process.env
const server = createServer()
await new Promise((resolve) => server.listen(Number(PORT), '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`

function confidential(client_id, client_secret, grant_types) {
  const token_endpoint_auth_method = 'client_secret_basic'
  return { client_id, client_secret, grant_types, token_endpoint_auth_method, redirect_uris: [], response_types: [] }
}

const caller = confidential(CALLER_ID, CALLER_SECRET, EXCHANGE_GRANTS)
if (CALLER_JWKS) {
  Object.assign(caller, { token_endpoint_auth_method: 'private_key_jwt', jwks: JSON.parse(CALLER_JWKS) })
  delete caller.client_secret
}

const provider = new Provider(issuer, {
  clients: [
    confidential(CLIENT_ID, CLIENT_SECRET, ['client_credentials']),
    caller,
  ],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === CALLER_ID },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: SCOPE, audience: RESOURCE, accessTokenFormat: FORMAT }),
    },
  },
})
if (EXCHANGE_GRANTS.length) addTokenExchange(provider)
server.on('request', provider.callback())
process.stdin.on('end', () => process.exit(0)).resume()
console.log(issuer)
