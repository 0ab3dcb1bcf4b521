;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Servers, as programs see them: what is said is checked before anything listens.

(define-module (sockport server)
  #:use-module (sockport serve options)
  #:use-module (sockport serve run)
  #:use-module (sockport serve site)
  #:export (serve)
  #:re-export (stop-server! server? server-addresses server-connections))

(define (serve where handler . options)
  "Listen at WHERE, and call (HANDLER socket address) in a task for each
connection; the socket is closed when it returns.  Return when the server has been
stopped, by one of its signals or @code{stop-server!}.  With #:tls, a context of
@code{(sockport tls)}, the handler has a port over the socket, once the handshake is
done.  The OPTIONS are #:connections, #:idle-seconds, #:connection-seconds,
#:grace-seconds, #:signals, #:workers, #:on-listen, #:on-stop, #:log, #:backlog,
#:no-delay?, #:v6-only?, #:mode, #:owner, #:group, #:prologue, #:tls and
#:handshake-seconds."
  (check-server-arguments "serve" handler '("the socket" "the address") options
                          serve-options)
  (apply serve-as "serve" where handler options))
