;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Connections for URIs: which way they go, through a proxy or not, and by TLS.

(define-module (sockport client open)
  #:use-module (ice-9 match)
  #:use-module (srfi srfi-9)
  #:use-module ((web client)
                #:select (current-http-proxy current-https-proxy
                          x509-certificate-directory))
  #:use-module (sockport client connection)
  #:use-module (sockport client no-proxy)
  #:use-module (sockport client proxy)
  #:use-module (sockport client redirect)
  #:use-module (sockport client secure)
  #:use-module (sockport connect)
  #:use-module (sockport io secure)
  #:use-module (web uri)
  #:re-export (current-http-proxy
               current-https-proxy
               x509-certificate-directory)
  #:export (current-all-proxy
            current-no-proxy
            uri-route
            route-asks-proxy
            open-connection))

(define (environment . names)
  "Return the first of the variables NAMES that has a value, or #f."
  (or-map (lambda (name)
            (match (getenv name)
              ((or #f "") #f)
              (value value)))
          names))

(define current-no-proxy
  (make-parameter (environment "no_proxy" "NO_PROXY")))

(define current-all-proxy
  (make-parameter (environment "all_proxy" "ALL_PROXY")))

;;; How a URI's host is reached.  PROXY is #f, or what `read-proxy' returns of
;;; TEXT.  The contexts are those for TLS with the host, and with a proxy that is
;;; reached by TLS itself; #f without TLS.
(define-record-type <route>
  (make-route scheme host port text proxy context proxy-context)
  route?
  (scheme route-scheme)
  (host route-host)
  (port route-port)
  (text route-text)
  (proxy route-proxy)
  (context route-context)
  (proxy-context route-proxy-context))

(define (secure? scheme)
  (and (memq scheme '(https wss)) #t))

(define (proxy-for scheme host port told)
  "Return the proxy, as a text, that TOLD or the parameters name for a host."
  (if (eq? told 'environment)
      (let ((proxy (or (if (secure? scheme)
                           (current-https-proxy)
                           (current-http-proxy))
                       (current-all-proxy))))
        (and proxy
             (not (without-proxy? host port (current-no-proxy)))
             proxy))
      told))

(define (uri-route uri proxy context verify? proxy-context who)
  "Return two values: how the host of URI is reached, and a key that is `equal?' for
those that are reached in the same way.  WHO refuses what PROXY and CONTEXT are not."
  (when context (check-security context #:context who))
  (when proxy-context (check-security proxy-context #:proxy-context who))
  (let* ((scheme (uri-scheme uri)) (host (uri-host uri))
         (port (or (uri-port uri) (default-port scheme)))
         (text (proxy-for scheme host port proxy))
         (proxy (and text (read-proxy who text)))
         (context (and (secure? scheme)
                       (or context (make-context verify?))))
         (proxy-context (and proxy (proxy-secure? proxy)
                             (or proxy-context (make-context #t)))))
    (values (make-route scheme host port text proxy context proxy-context)
            (list host port scheme text context proxy-context))))

(define (route-asks-proxy route)
  "Return the proxy of ROUTE if requests are made to it and not to their host."
  (let ((proxy (route-proxy route)))
    (and proxy
         (memq (proxy-kind proxy) '(http https))
         (eq? 'http (route-scheme route))
         proxy)))

;;; Opening.

(define (open-port route)
  (let ((asked (route-asks-proxy route)))
    (if asked
        (connect-to (proxy-host asked) #:port (proxy-port asked)
                    #:tls (route-proxy-context route))
        (connect-to (route-host route) #:port (route-port route)
                    #:proxy (route-text route)
                    #:proxy-tls (route-proxy-context route)
                    #:tls (route-context route)))))

(define (open-connection route key)
  "Return a connection to where ROUTE leads."
  (make-connection (open-port route) #:key key #:socket? #t))
