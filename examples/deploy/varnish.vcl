# Varnish in front of Courant (Varnish 6 and 7). Courant's part in feeds.toml:
#
#   [cdn]
#   keys = ["surrogate-key"]
#   max_age_seconds = 86_400
#
#   [purge]
#   url = "http://127.0.0.1:6081/"
#   method = "BAN"
#   headers = ["X-Ban-Keys: {keys_pattern}"]
vcl 4.1;

import std;

backend courant {
    .host = "127.0.0.1";
    .port = "8080";
    .probe = { .url = "/readyz"; .interval = 5s; .timeout = 2s; .window = 5; .threshold = 3; }
}

# Who may say what is stale: the machines that Courant runs on.
acl courants {
    "127.0.0.1";
    "::1";
}

sub vcl_recv {
    if (req.method == "BAN") {
        if (client.ip !~ courants) {
            return (synth(403));
        }
        if (!req.http.X-Ban-Keys) {
            return (synth(400));
        }
        # Only what is stored is looked at, so that this is done in the background.
        if (std.ban("obj.http.Surrogate-Key ~ " + req.http.X-Ban-Keys)) {
            return (synth(200));
        }
        return (synth(400, std.ban_error()));
    }
    # What is for partners, and the numbers, are no business of a cache.
    if (req.url ~ "^/(partner/|metrics|healthz|readyz)") {
        return (pass);
    }
    # Whole feeds for everybody; deltas would have to be fetched for each reader.
    unset req.http.A-IM;
    unset req.http.Cookie;
}

sub vcl_backend_response {
    if (beresp.http.CDN-Cache-Control ~ "max-age=[0-9]+") {
        set beresp.ttl = std.duration(
            regsub(beresp.http.CDN-Cache-Control, "^.*max-age=([0-9]+).*$", "\1s"), beresp.ttl);
        set beresp.grace = 60s;
    }
}

sub vcl_deliver {
    # Between Courant and caches alone.
    unset resp.http.Surrogate-Key;
    unset resp.http.CDN-Cache-Control;
    # A client counts from when it got the answer: here it is kept longer than clients keep it, and is never stale.
    unset resp.http.Age;
}
