;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; event-stream.scm [PORT]: a page that shows events as they come:
;;; http://127.0.0.1:8080/.  Each browser that looks on has a task; the others are
;;; served meanwhile.

(use-modules (sockport) (sockport http) (ice-9 exceptions) (ice-9 match)
             (web request) (web response) (web uri))

(define page "<!DOCTYPE html>
<html><head><title>Events</title>
<link rel='stylesheet' href='/style.css'></head>
<body><h1>Events</h1><img src='/dot.svg' alt='a dot'><ol id='list'></ol>
<script src='/script.js'></script></body></html>
")

(define style "h1 { color: rgb(0, 64, 128); }
")

(define dot "<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'>
<circle cx='4' cy='4' r='4'/></svg>
")

(define script "const list = document.getElementById('list');
const source = new EventSource('/events');
source.onmessage = (event) => {
  const item = document.createElement('li');
  item.textContent = event.data;
  list.append(item);
};
source.addEventListener('end', () => {
  source.close();
  document.title = 'Ended after ' + list.children.length;
});
")

(define (send-events port)
  (let next ((number 1))
    (when (<= number 3)
      (sleep 1/10)
      (format port "data: event ~a\n\n" number)
      (force-output port)
      (next (+ number 1))))
  (display "event: end\ndata:\n\n" port))

(define resources
  `(("/" text/html ,page)
    ("/style.css" text/css ,style)
    ("/script.js" text/javascript ,script)
    ("/dot.svg" image/svg+xml ,dot)
    ("/events" text/event-stream ,send-events)))

(define (handler request body)
  (match (assoc (uri-path (request-uri request)) resources)
    ((_ type content)
     (values `((content-type . (,type))) content))
    (#f
     (values (build-response #:code 404) "There is no such page.\n"))))

;; What a user can get wrong is a line, not a backtrace.
(guard (e ((memq (exception-kind e)
                 '(getaddrinfo-error misc-error out-of-range system-error
                   wrong-type-arg))
           (print-exception (current-error-port) #f
                            (exception-kind e) (exception-args e))
           (exit 1)))
  (match (command-line)
    ((_)
     (serve-http "127.0.0.1:8080" handler))
    ((_ (? string->number port))
     (serve-http (string-append "127.0.0.1:" port) handler))
    (_
     (display "usage: event-stream.scm [PORT]\n" (current-error-port))
     (exit 2))))
