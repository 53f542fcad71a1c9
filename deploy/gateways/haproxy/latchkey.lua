-- `http-request lua.latchkey URL`: asks Latchkey whether the request may pass. If so, what Latchkey says of the caller goes
-- into its header; if not, the caller is answered here.

local IDENTITY = { "x-client-id", "x-permissions", "x-scope", "x-audience", "x-token-id" }

-- What is told to the caller. Anything else is trouble, and 503.
local REFUSALS = { [401] = true, [403] = true }

-- Milliseconds.
local PATIENCE = 5000

-- The token, as often as it was sent, and the original request; nothing else that the caller sent.
local function question(txn)
    local authorization = {}
    for _, value in pairs(txn.http:req_get_headers()["authorization"] or {}) do
        table.insert(authorization, value)
    end
    return {
        ["authorization"] = authorization,
        ["x-original-method"] = { txn.sf:method() },
        ["x-original-uri"] = { txn.sf:path() },
    }
end

local function refuse(txn, answer)
    local reply = txn:reply({ status = REFUSALS[answer.status] and answer.status or 503 })
    reply:add_header("cache-control", "no-store")
    for _, challenge in pairs(answer.headers and answer.headers["www-authenticate"] or {}) do
        reply:add_header("www-authenticate", challenge)
    end
    txn:done(reply)
end

core.register_action("latchkey", { "http-req" }, function(txn, url)
    local answer = core.httpclient():get({ url = url, headers = question(txn), timeout = PATIENCE })
    if answer.status ~= 200 then
        return refuse(txn, answer)
    end
    for _, name in ipairs(IDENTITY) do
        local values = answer.headers[name]
        if values and values[0] ~= "" then
            txn.http:req_set_header(name, values[0])
        end
    end
    txn:set_var("txn.latchkey_permits", true)
end, 1)
