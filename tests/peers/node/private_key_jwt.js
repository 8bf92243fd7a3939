// Drive an authorization server with oauth4webapi and no secret: discovery, token, JWT verification by the published
// keys, introspection, revocation, inactive. Prints one JSON object; the environment holds the clients' private JWKs.
import * as oauth from 'oauth4webapi'

const { ISSUER, CLIENT_ID, CLIENT_KEY, CALLER_ID, CALLER_KEY, SCOPE, AUDIENCE } = process.env
const http = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(ISSUER)
const discovery = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http })
const as = await oauth.processDiscoveryResponse(issuer, discovery)

const ALGORITHMS = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  Ed25519: { name: 'Ed25519' },
}

async function authentication(text) {
  const { alg, kid, ...jwk } = JSON.parse(text)
  return oauth.PrivateKeyJwt({ key: await crypto.subtle.importKey('jwk', jwk, ALGORITHMS[alg], false, ['sign']), kid })
}

const client = { client_id: CLIENT_ID }
const clientAuth = await authentication(CLIENT_KEY)
const caller = { client_id: CALLER_ID }
const callerAuth = await authentication(CALLER_KEY)

const granted = await oauth.clientCredentialsGrantRequest(as, client, clientAuth, { scope: SCOPE }, http)
const { access_token: token } = await oauth.processClientCredentialsResponse(as, client, granted)

const request = new Request(AUDIENCE, { headers: { Authorization: `Bearer ${token}` } })
const claims = await oauth.validateJwtAccessToken(as, request, AUDIENCE, http)

async function introspect() {
  const response = await oauth.introspectionRequest(as, caller, callerAuth, token, http)
  return await oauth.processIntrospectionResponse(as, caller, response)
}

const before = await introspect()
await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, clientAuth, token, http))
console.log(JSON.stringify({ claims, before, after: await introspect() }))
