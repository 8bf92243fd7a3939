// Exchange a token with openid-client (RFC 8693), and introspect what came out; the environment names issuer and client.
// Prints what was issued, and the error codes for a scope, a resource and a token that are refused.
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, SUBJECT_TOKEN, RESOURCE } = process.env
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const options = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }

const api = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, client.ClientSecretBasic(CLIENT_SECRET), options)
const exchange = (changes) =>
  client.genericGrantRequest(api, GRANT_TYPE, {
    subject_token: SUBJECT_TOKEN, subject_token_type: ACCESS_TOKEN, resource: RESOURCE, scope: 'orders:read', ...changes,
  })
const granted = await exchange({})
const answer = await client.tokenIntrospection(api, granted.access_token)
const wrong = []
for (const changes of [{ scope: 'admin' }, { resource: 'urn:x' }, { subject_token: 'x' }]) {
  wrong.push(await exchange(changes).then(() => 'granted', (problem) => problem.error))
}
console.log(
  JSON.stringify({
    issued: granted.issued_token_type,
    type: granted.token_type,
    scope: granted.scope,
    actor: answer.act.sub,
    sub: answer.sub,
    lives: granted.expires_in > 0,
    wrong,
  }),
)
