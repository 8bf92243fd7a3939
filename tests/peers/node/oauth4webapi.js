// Drive an authorization server with oauth4webapi: discovery, token, introspection, revocation, inactive.
// Prints one JSON object; the environment names the issuer and the two clients.
import * as oauth from 'oauth4webapi'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, CALLER_ID, CALLER_SECRET, SCOPE } = process.env
const http = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(ISSUER)
const discovery = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http })
const as = await oauth.processDiscoveryResponse(issuer, discovery)

const client = { client_id: CLIENT_ID }
const clientAuth = oauth.ClientSecretBasic(CLIENT_SECRET)
const caller = { client_id: CALLER_ID }
const callerAuth = oauth.ClientSecretBasic(CALLER_SECRET)

const granted = await oauth.clientCredentialsGrantRequest(as, client, clientAuth, { scope: SCOPE }, http)
const { access_token: token, token_type, scope } = await oauth.processClientCredentialsResponse(as, client, granted)

async function introspect() {
  const response = await oauth.introspectionRequest(as, caller, callerAuth, token, http)
  return await oauth.processIntrospectionResponse(as, caller, response)
}

const before = await introspect()
await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, clientAuth, token, http))
console.log(JSON.stringify({ token_type, scope, before, after: await introspect() }))
