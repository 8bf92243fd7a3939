// Drive an authorization server with oauth4webapi: discovery, token, introspection, revocation, inactive; a JWT access
// token is verified by the published keys besides, and so are introspection responses: with SIGNED every one of them
// must be a JWT, with SIGNED_ALG signed by this algorithm, with DECRYPTION_KEY encrypted for this JWK. Prints one JSON
// object; the environment names issuer and clients.
import * as oauth from 'oauth4webapi'
import { compactDecrypt, importJWK } from 'jose'
import { authentication } from './authentication.js'

const { ISSUER, CLIENT_ID, CALLER_ID, SCOPE, AUDIENCE, SIGNED, SIGNED_ALG, DECRYPTION_KEY } = process.env
const { CLIENT_METHOD, CLIENT_CREDENTIAL, CALLER_METHOD, CALLER_CREDENTIAL } = process.env
const http = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(ISSUER)
const discovery = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http })
const as = await oauth.processDiscoveryResponse(issuer, discovery)

const client = { client_id: CLIENT_ID }
const clientAuth = await authentication(oauth, CLIENT_METHOD, CLIENT_CREDENTIAL)
const caller = { client_id: CALLER_ID, ...(SIGNED_ALG && { introspection_signed_response_alg: SIGNED_ALG }) }
const callerAuth = await authentication(oauth, CALLER_METHOD, CALLER_CREDENTIAL)

const granted = await oauth.clientCredentialsGrantRequest(as, client, clientAuth, { scope: SCOPE }, http)
const { access_token: token, token_type, scope } = await oauth.processClientCredentialsResponse(as, client, granted)

async function verify() {
  const request = new Request(AUDIENCE, { headers: { Authorization: `Bearer ${token}` } })
  return await oauth.validateJwtAccessToken(as, request, AUDIENCE, http)
}

async function introspect() {
  const requestJwtResponse = SIGNED ? true : undefined
  const response = await oauth.introspectionRequest(as, caller, callerAuth, token, { ...http, requestJwtResponse })
  const options = DECRYPTION_KEY ? { [oauth.jweDecrypt]: decrypt } : {}
  const answer = await oauth.processIntrospectionResponse(as, caller, response, options)
  if (SIGNED || SIGNED_ALG) await oauth.validateApplicationLevelSignature(as, response, http)
  return answer
}

async function decrypt(jwe) {
  const jwk = JSON.parse(DECRYPTION_KEY)
  const { plaintext } = await compactDecrypt(jwe, await importJWK(jwk, jwk.alg))
  return new TextDecoder().decode(plaintext)
}

const claims = token.split('.').length === 3 ? await verify() : null
const before = await introspect()
await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, clientAuth, token, http))
console.log(JSON.stringify({ token_type, scope, claims, before, after: await introspect() }))
