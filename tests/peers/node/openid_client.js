// The same with openid-client, which authenticates with client_secret_post.
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, CALLER_ID, CALLER_SECRET, SCOPE } = process.env
const options = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }

function configure(id, secret) {
  return client.discovery(new URL(ISSUER), id, undefined, client.ClientSecretPost(secret), options)
}

const machine = await configure(CLIENT_ID, CLIENT_SECRET)
const caller = await configure(CALLER_ID, CALLER_SECRET)
const { access_token: token, token_type, scope } = await client.clientCredentialsGrant(machine, { scope: SCOPE })
const before = await client.tokenIntrospection(caller, token)
await client.tokenRevocation(machine, token)
const after = await client.tokenIntrospection(caller, token)
console.log(JSON.stringify({ token_type, scope, before, after }))
