// The same with openid-client, which leaves the verification of a JWT to others.
import * as client from 'openid-client'
import { authentication } from './authentication.js'

const { ISSUER, CLIENT_ID, CALLER_ID, SCOPE } = process.env
const { CLIENT_METHOD, CLIENT_CREDENTIAL, CALLER_METHOD, CALLER_CREDENTIAL } = process.env
const options = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }

async function configure(id, method, credential) {
  return client.discovery(new URL(ISSUER), id, undefined, await authentication(client, method, credential), options)
}

const machine = await configure(CLIENT_ID, CLIENT_METHOD, CLIENT_CREDENTIAL)
const caller = await configure(CALLER_ID, CALLER_METHOD, CALLER_CREDENTIAL)
const { access_token: token, token_type, scope } = await client.clientCredentialsGrant(machine, { scope: SCOPE })
const before = await client.tokenIntrospection(caller, token)
await client.tokenRevocation(machine, token)
const after = await client.tokenIntrospection(caller, token)
console.log(JSON.stringify({ token_type, scope, claims: null, before, after }))
